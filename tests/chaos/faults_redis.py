"""Faults of Redis: emptied, restarted, full, away, and used by hands that are not ours."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from redis.exceptions import RedisError

from tests.chaos.injecting import Injector, Missed, list_victims, reach_first
from tests.chaos.plan import PlannedFault
from tests.chaos.stage import Stage

BOARD = Path(__file__).resolve().parents[2] / "board"
HANDS = Path(__file__).with_name("board_hands.mjs")
LONGER_THAN_TIMEOUTS = 6.5
"""The broker gives a round trip 5 s."""
IDLE = "SELECT NOT EXISTS (SELECT FROM engine.inflight) AND NOT EXISTS (SELECT FROM engine.ready WHERE due)"


async def flush(stage: Stage) -> None:
    """FLUSHALL, noted by the clock that PostgreSQL on this machine shares."""
    stage.journal.note_flush(datetime.now(UTC))
    async with stage.connect_redis() as client:
        await client.flushall()


async def flush_idle(stage: Stage, fault: PlannedFault) -> str:
    enqueuer = stage.enqueuers[0]
    await enqueuer.wait_ready()
    enqueuer.send(do="pause")
    try:
        idle = await _wait_idle(stage)
        await flush(stage)
        await asyncio.sleep(0.5)
    finally:
        enqueuer.send(do="resume")
    return "FLUSHALL while idle" if idle else "FLUSHALL while no job came, but some were held by other faults"


async def _wait_idle(stage: Stage) -> bool:
    async with stage.connect() as connection:
        for _ in range(60):
            if await connection.fetchval(IDLE):
                return True
            await asyncio.sleep(0.1)
    return False


async def flush_in_add(stage: Stage, fault: PlannedFault) -> str:
    members = [*stage.engines, *list_victims(stage, fault)]
    member = await reach_first(members, "adding", freezes=False)
    await flush(stage)
    member.send(do="disarm")
    return f"FLUSHALL while {member.name} had added half"


async def flush_in_handler(stage: Stage, fault: PlannedFault) -> str:
    member = await reach_first(list_victims(stage, fault), "handling", freezes=False)
    await flush(stage)
    member.send(do="disarm")
    return f"FLUSHALL while a handler ran in {member.name}"


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
    await valkey.kill()
    _forget(stage)
    await valkey.start()
    return "Redis killed, and back with nothing"


def _forget(stage: Stage) -> None:
    shutil.rmtree(stage.servers.valkey.folder / "appendonlydir", ignore_errors=True)


async def flush_scripts(stage: Stage, fault: PlannedFault) -> str:
    async with stage.connect_redis() as client:
        for _ in range(10):
            await client.script_flush()
            await asyncio.sleep(0.05)
    return "SCRIPT FLUSH, ten times in half a second"


async def fill_memory(stage: Stage, fault: PlannedFault) -> str:
    async with stage.connect_redis() as client:
        await client.config_set("maxmemory", "1mb")
        try:
            await asyncio.sleep(3)
        finally:
            await client.config_set("maxmemory", "1gb")
    return "no memory for 3 s"


async def be_away(stage: Stage, fault: PlannedFault) -> str:
    valkey = stage.servers.valkey
    if fault.first_variant:
        await valkey.stop()
        await asyncio.sleep(LONGER_THAN_TIMEOUTS)
        await valkey.start()
        return f"Redis gone for {LONGER_THAN_TIMEOUTS:g} s"
    pid = valkey.pid
    if pid is None:
        raise Missed("Redis is down already")
    os.kill(pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(LONGER_THAN_TIMEOUTS)
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
    return f"Redis silent for {LONGER_THAN_TIMEOUTS:g} s"


async def use_the_board(stage: Stage, fault: PlannedFault) -> str:
    """With Node's own BullMQ where the board is installed, else with Python's."""
    node = shutil.which("node")
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
        if process.returncode:
            raise Missed("Redis was away")
        return f"with Node's BullMQ: {said.decode().strip()}"
    return await _use_python(stage)


async def _use_python(stage: Stage) -> str:
    from bullmq import Queue

    for name in ("work", "free", "bulk"):
        queue = Queue(name, {"connection": stage.redis_url})
        with suppress(RedisError):
            for job in await queue.getJobs(["wait"], 0, 10):
                await queue.remove(job.id)
            await queue.clean(0, 100, "completed")
            await queue.clean(0, 100, "failed")
            await queue.retryJobs({"state": "completed", "count": 20})
            await queue.add("stranger", {}, {"jobId": f"j{10**12}-1"})
        await queue.close()
    return "with Python's BullMQ: removed, cleaned, retried, added"


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
