"""The supervisor brings its children back, whatever else is down, and leaves none behind."""

from __future__ import annotations

import asyncio
import json
import os
import platform
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from structlog.testing import capture_logs

from tests.support.waiting import wait_until
from tournee.bootstrap.supervisor import Role, Supervisor, SupervisorConfig
from tournee.engine.ports import LedgerUnavailable

BACK_SECONDS = 2.0
TRIES = 4
CHILD = (sys.executable, "-u", "-c")
WAITS = "import json, time; print(json.dumps({'level': 'warning', 'event': 'here'})); time.sleep(600)"
REFUSES = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf'); time.sleep(600)"
ENDS = "import sys; sys.exit('tournee: nothing is right')"


@dataclass
class Deaths:
    """What is told to the ledger, which is away at first for so many times."""

    away: int = 0
    tried: int = 0
    told: list[tuple[Sequence[int], str]] = field(default_factory=list)

    async def report(self, pids: Sequence[int], host: str) -> int:
        self.tried += 1
        if self.tried <= self.away:
            raise LedgerUnavailable("away")
        self.told.append((pids, host))
        return 1


@asynccontextmanager
async def supervise(
    folder: Path, program: str, deaths: Deaths, grace_seconds: float = 5.0
) -> AsyncIterator[Supervisor]:
    config = SupervisorConfig([Role("worker 1", [program])], folder, grace_seconds, CHILD)
    supervisor = Supervisor(config, deaths.report)
    supervisor.start()
    try:
        await wait_until(lambda: bool(supervisor.pids))
        yield supervisor
    finally:
        await supervisor.stop()


async def wait_printed(folder: Path, text: str, times: int = 1) -> None:
    log = folder / "worker-1.log"
    await wait_until(lambda: log.exists() and log.read_text(encoding="utf-8").count(text) >= times)


async def test_a_killed_child_is_back_within_two_seconds_and_its_death_is_told(tmp_path: Path) -> None:
    deaths = Deaths()
    async with supervise(tmp_path, WAITS, deaths) as supervisor:
        killed: list[int] = []
        needed: list[float] = []
        # Once more where the machine stood still: what counts is that the supervisor needs no longer.
        while len(killed) < TRIES and min(needed, default=BACK_SECONDS) >= BACK_SECONDS:
            killed.append(supervisor.pids["worker 1"])
            started = asyncio.get_running_loop().time()
            os.kill(killed[-1], signal.SIGKILL)
            await wait_until(lambda: supervisor.pids["worker 1"] not in killed)
            needed.append(asyncio.get_running_loop().time() - started)
        assert min(needed) < BACK_SECONDS
        await wait_until(lambda: len(deaths.told) == len(killed))
        last = supervisor.pids["worker 1"]
    assert deaths.told == [([pid], platform.node()) for pid in killed]
    assert not psutil.pid_exists(last)


async def test_a_ledger_that_is_away_holds_no_restart_up_and_is_told_when_it_is_back(tmp_path: Path) -> None:
    deaths = Deaths(away=3)
    async with supervise(tmp_path, WAITS, deaths) as supervisor:
        before = supervisor.pids["worker 1"]
        os.kill(before, signal.SIGKILL)
        await wait_until(lambda: supervisor.pids["worker 1"] != before)
        assert deaths.told == []
        await wait_until(lambda: bool(deaths.told))
    assert deaths.told == [([before], platform.node())]


async def test_a_child_that_does_not_listen_is_killed_after_its_grace(tmp_path: Path) -> None:
    async with supervise(tmp_path, REFUSES, Deaths(), grace_seconds=0.0) as supervisor:
        await wait_printed(tmp_path, "deaf")
        pid = supervisor.pids["worker 1"]
    assert not psutil.pid_exists(pid)


async def test_being_hurried_kills_a_child_that_does_not_listen(tmp_path: Path) -> None:
    config = SupervisorConfig([Role("worker 1", [REFUSES])], tmp_path, 600.0, CHILD)
    supervisor = Supervisor(config, Deaths().report)
    supervisor.start()
    await wait_printed(tmp_path, "deaf")
    pid = supervisor.pids["worker 1"]
    stopping = asyncio.create_task(supervisor.stop())
    await asyncio.sleep(0)
    stopping.cancel()
    await asyncio.wait({stopping}, timeout=60)
    assert stopping.done()
    assert not psutil.pid_exists(pid)


async def test_a_child_that_ends_at_once_is_tried_again_with_pauses_and_its_words_are_told(tmp_path: Path) -> None:
    with capture_logs() as told:
        async with supervise(tmp_path, ENDS, Deaths()):
            await wait_printed(tmp_path, "nothing is right", times=3)
    events = {(entry["event"], entry["log_level"]) for entry in told}
    assert ("nothing is right", "error") in events
    assert ("a process ended and is started again", "warning") in events


async def test_what_children_print_goes_into_files_and_only_warnings_are_told(tmp_path: Path) -> None:
    with capture_logs() as told:
        async with supervise(tmp_path, WAITS, Deaths()):
            await wait_printed(tmp_path, "here")
    assert [(entry["event"], entry["process"]) for entry in told] == [("here", "worker 1")]
    assert json.loads((tmp_path / "worker-1.log").read_text(encoding="utf-8"))["event"] == "here"
    assert (tmp_path / "worker-1.log").stat().st_mode & 0o077 == 0
