"""`tournee up` as a process: what is killed comes back, and nothing is left when it ends, however it ends."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path

import httpx
import psutil
import pytest

from tests.support.commands import Serving, run_command, serve_command, start_command
from tests.support.waiting import wait_until
from tournee.bootstrap.stack_file import read_stack

pytestmark = pytest.mark.timeout(900)

GONE_SECONDS = 60.0
BACK_SECONDS = 2.0
TRIES = 4


def list_children(up: Serving) -> list[psutil.Process]:
    return psutil.Process(up.pid).children(recursive=True)


def find_child(up: Serving, word: str) -> psutil.Process | None:
    """A direct child that runs, by its name or a word of its command line."""
    for child in psutil.Process(up.pid).children():
        try:
            if child.status() != psutil.STATUS_ZOMBIE and (word in child.cmdline() or child.name() == word):
                return child
        except psutil.Error:
            continue
    return None


async def kill_and_wait(up: Serving, word: str) -> float:
    """SIGKILL a child; answers after how many seconds another is in its place."""
    victim = find_child(up, word)
    assert victim is not None
    started = time.monotonic()
    victim.kill()
    await wait_until(lambda: not read_line(victim))

    def is_back() -> bool:
        found = find_child(up, word)
        return found is not None and found.pid != victim.pid

    if word == "worker":
        # There are two: the one that is left does not count.
        await wait_until(lambda: count_workers(up) == 2)
    else:
        await wait_until(is_back)
    return time.monotonic() - started


async def is_back_in_time(up: Serving, word: str) -> bool:
    """Whether the supervisor needs less than two seconds; tried again where the machine may have stood still."""
    for _ in range(TRIES):
        if await kill_and_wait(up, word) < BACK_SECONDS:
            return True
    return False


def count_workers(up: Serving) -> int:
    return sum("worker" in line for line in map(read_line, psutil.Process(up.pid).children()))


def read_line(child: psutil.Process) -> list[str]:
    try:
        return [] if child.status() == psutil.STATUS_ZOMBIE else child.cmdline()
    except psutil.Error:
        return []


async def wait_gone(processes: list[psutil.Process]) -> list[psutil.Process]:
    _, left = await asyncio.to_thread(psutil.wait_procs, processes, GONE_SECONDS)
    return [process for process in left if process.status() != psutil.STATUS_ZOMBIE]


async def is_ready(base: str) -> bool:
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        try:
            return (await client.get(f"{base}/readyz")).is_success
        except httpx.HTTPError:
            return False


async def is_alive(base: str) -> bool:
    """Asked once, and not refused."""
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        return (await client.get(f"{base}/healthz")).is_success


async def wait_ready(base: str) -> None:
    async with asyncio.timeout(60):
        while not await is_ready(base):  # noqa: ASYNC110 - another process sets no event of ours
            await asyncio.sleep(0.05)


async def test_whatever_is_killed_comes_back_and_nothing_outlives_the_supervisor(home: Path) -> None:
    async with serve_command("up", home=home) as up:
        base = up.addresses["console"].partition("/enter")[0]
        second = await run_command("up", home=home)
        assert (second.code, second.stdout, len(second.stderr.splitlines())) == (3, "", 1)
        assert f"already (process {up.pid})" in second.stderr
        status = (await run_command("status", "--json", home=home)).read_json()
        assert status["running"]
        assert len([worker for worker in status["workers"] if not worker["stopping"]]) == 2
        for word in ("worker", "api", "valkey-server", "postgres"):
            assert await is_back_in_time(up, word), f"{word} was not back in time"
            # The port is `up`'s, so nobody is refused while the API starts again.
            assert await is_alive(base)
        await wait_ready(base)
        await wait_until(lambda: "workers are dead" in read_logs(home))
        assert up.addresses["console"].rpartition("=")[2] not in read_logs(home), "the token is in no log"
        children = list_children(up)
        await up.kill()
        assert await wait_gone(children) == []
    assert read_stack(home) is None
    after = await run_command("status", "--json", home=home)
    assert (after.code, after.read_json()["running"]) == (0, False)


def read_logs(home: Path) -> str:
    return "".join(path.read_text(encoding="utf-8", errors="replace") for path in (home / "logs").glob("*.log"))


@pytest.mark.parametrize("begun", ["postgresql/data", "run/stack.json"])
async def test_ctrl_c_while_it_starts_ends_it_at_once_and_leaves_nothing(home: Path, begun: str) -> None:
    async with start_command("up", "--json", home=home) as process:
        await wait_until((home / begun).exists, 240)
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)
        _, told = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 130
    assert told.decode().splitlines() == ["tournee: interrupted"]
    assert await wait_gone(children) == []
    assert not (home / "run" / "stack.json").exists()


async def test_on_given_stores_the_announced_link_opens_the_console_and_sigterm_ends_all_with_0(
    home: Path, empty_database_url: str, redis_url: str
) -> None:
    more = {"TOURNEE_DATABASE_URL": empty_database_url, "TOURNEE_REDIS_URL": redis_url, "TOURNEE_WORKER_PROCESSES": "1"}
    async with serve_command("up", home=home, more=more) as up:
        link = up.addresses["console"]
        async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
            assert (await client.get(link)).status_code == 303
            assert (await client.get(link.rpartition("=")[0] + "=other")).status_code == 403
        second = await run_command("up", home=home, more=more)
        assert second.code == 3
        # The stack's own description is believed by who was given nothing.
        joined = await run_command("status", "--json", home=home)
        assert joined.read_json()["running"]
        children = list_children(up)
        assert await up.end(signal.SIGTERM) == 0
        assert await wait_gone(children) == []
        assert "Traceback" not in up.read_log()
    assert not (home / "run" / "stack.json").exists()
