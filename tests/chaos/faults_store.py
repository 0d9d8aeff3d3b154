"""Faults of PostgreSQL, of the disk and of PostgreSQL's locks."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

import asyncpg

from tests.chaos.injecting import Broken, Injector, Missed, read_count, require, slip_in
from tests.chaos.plan import PlannedFault
from tests.chaos.process import LEASE_SECONDS
from tests.chaos.stage import DISK_BYTES, Stage
from tests.chaos.workload import Task

FAULTS = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE $1"
BLOCKERS = """
SELECT backend_type, state, wait_event, age(clock_timestamp(), xact_start)::text AS age, left(query, 60) AS query
FROM pg_stat_activity WHERE pid = ANY (pg_blocking_pids($1))
"""
DEADLOCK = "ERROR:  deadlock detected"
FULL = ("No space left on device", "MISCONF")
TRIES = 60
LOCK_SECONDS = 4.0


def restart_during(statement: str, lock: str) -> Injector:
    """PostgreSQL dies while a statement, known by its first comment, is under way: a lock on the table holds it.

    SHARE lets handlers lock their rows, and holds what writes; EXCLUSIVE holds what locks rows, too.
    """

    async def inject(stage: Stage, fault: PlannedFault) -> str:
        async with stage.connect() as locker, stage.connect() as looker:
            await _lock_table(locker, looker, lock)
            seen = await _wait_for_statement(looker, statement)
            if not seen:
                raise Missed(f"no {statement} was under way")
            await _restart(stage, gracefully=fault.first_variant)
        return f"PostgreSQL {'restarted' if fault.first_variant else 'killed'} while {seen} waited"

    return inject


async def _lock_table(
    locker: asyncpg.Connection[asyncpg.Record], looker: asyncpg.Connection[asyncpg.Record], lock: str
) -> None:
    taken = asyncio.create_task(locker.execute(f"BEGIN; LOCK TABLE engine.jobs IN {lock} MODE"))
    done, _ = await asyncio.wait({taken}, timeout=LOCK_SECONDS)
    if done:
        return
    blockers = await looker.fetch(BLOCKERS, locker.get_server_pid())
    taken.cancel()
    await asyncio.gather(taken, return_exceptions=True)
    raise Missed(f"the table was not to be locked, because of {[tuple(row) for row in blockers]}")


async def _wait_for_statement(connection: asyncpg.Connection[asyncpg.Record], statement: str) -> int:
    for _ in range(TRIES):
        if seen := await connection.fetchval(WAITING, f"%{statement}%"):
            return int(seen)
        await asyncio.sleep(0.05)
    return 0


async def _restart(stage: Stage, *, gracefully: bool) -> None:
    if gracefully:
        await stage.servers.postgresql.restart()
    else:
        await stage.servers.postgresql.kill()
        await stage.servers.postgresql.start()


async def go_away(stage: Stage, fault: PlannedFault) -> str:
    """Longer than the lease, and nobody is dead: the same workers must be known before and after."""
    for member in stage.members:
        await member.wait_ready()
    await asyncio.sleep(2 * LEASE_SECONDS)
    before = await _read_workers(stage)
    deaths = [member.deaths for member in stage.members]
    if fault.first_variant:
        await stage.servers.postgresql.stop()
        await asyncio.sleep(LEASE_SECONDS + 2)
        await stage.servers.postgresql.start()
    else:
        await _stand_still(stage, LEASE_SECONDS + 2)
    await asyncio.sleep(2 * LEASE_SECONDS)
    lost = before - await _read_workers(stage)
    require(before and deaths == [member.deaths for member in stage.members], "a process died of something else")
    if lost:
        raise Broken(f"{len(lost)} workers were declared dead while PostgreSQL was away")
    return f"PostgreSQL {'stopped' if fault.first_variant else 'stood still'} for longer than the lease"


async def _stand_still(stage: Stage, seconds: float) -> None:
    """The postmaster and all its children are stopped: connections hang, nothing is refused."""
    pid = stage.servers.postgresql.pid
    assert pid is not None
    family = _list_family(pid)
    for one in family:
        _signal(one, signal.SIGSTOP)
    try:
        await asyncio.sleep(seconds)
    finally:
        for one in reversed(family):
            _signal(one, signal.SIGCONT)


def _list_family(pid: int) -> list[int]:
    import psutil

    return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]


def _signal(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


async def _read_workers(stage: Stage) -> set[str]:
    async with stage.connect() as connection:
        return {str(row["id"]) for row in await connection.fetch("SELECT id FROM engine.workers")}


async def cause_deadlocks(stage: Stage, fault: PlannedFault) -> str:
    """Rows in flight locked one by one from the highest id down, against the engine's order, and handlers that lock
    crosswise.
    """
    acts = ["cross", "across"] * 6
    before = stage.read_server_logs().count(DEADLOCK)
    await slip_in(stage, [Task(key_text=f"cross-{fault.number}-{n}", act=act) for n, act in enumerate(acts)])
    rounds = 0
    until = time.monotonic() + 8.0
    async with stage.connect() as connection:
        while rounds < 4 and time.monotonic() < until:
            await _lock_once(connection)
            rounds += 1
    deadlocks = stage.read_server_logs().count(DEADLOCK) - before
    require(deadlocks > 0, "nobody met in a deadlock")
    return f"{deadlocks} deadlocks: {rounds} rounds of locks against the order, 12 jobs that lock crosswise"


async def _lock_once(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    with suppress(asyncpg.PostgresError):
        async with connection.transaction():
            await _lock_backwards(connection)


async def _lock_backwards(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    await connection.execute("SET LOCAL lock_timeout = '2s'")
    rows = await connection.fetch("SELECT job_id FROM engine.inflight ORDER BY job_id DESC LIMIT 40")
    for row in rows:
        await connection.execute("SELECT FROM engine.jobs WHERE id = $1 FOR UPDATE", row["job_id"])
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.3)


async def keep_snapshot(stage: Stage, fault: PlannedFault) -> str:
    async with stage.connect() as connection, connection.transaction(isolation="repeatable_read"):
        before = await connection.fetchval("SELECT count(*) FROM engine.jobs")
        await asyncio.sleep(6)
        after = await connection.fetchval("SELECT count(*) FROM engine.jobs")
        now = await read_count(stage, "SELECT count(*) FROM engine.jobs")
    if before != after:
        raise Broken("a snapshot changed")
    require(now > before, "nothing was written meanwhile")
    return f"a reader kept its snapshot for 6 s, while {now - before} jobs came"


async def fill_disk(stage: Stage, fault: PlannedFault) -> str:
    """The disk shrinks to what is used, and grows again."""
    said = stage.read_server_logs()
    before = [said.count(word) for word in FULL]
    for _ in range(TRIES):
        try:
            stage.resize_disk(shutil.disk_usage(stage.servers_home).used + 128 * 1024)
            break
        except OSError:
            await asyncio.sleep(0.02)
    else:
        raise Missed("the disk was written too fast to be shrunk")
    try:
        await asyncio.sleep(4)
    finally:
        stage.resize_disk(DISK_BYTES)
    with suppress(*FAULTS):
        await _wait_for(lambda: _bring_back(stage))
    said = stage.read_server_logs()
    refused = sum(said.count(word) - was for word, was in zip(FULL, before, strict=True))
    require(refused > 0, "no server wanted to write more than there was room for")
    return f"the disk of both stores was full for 4 s: {refused} writes refused"


async def _bring_back(stage: Stage) -> None:
    """A server that found no room for its recovery has ended for good, and whoever watches over it starts it again."""
    await stage.servers.postgresql.start()
    await stage.servers.valkey.start()
    await _read_workers(stage)


async def _wait_for(look: Callable[[], Awaitable[object]]) -> None:
    for _ in range(100):
        try:
            await look()
            return
        except FAULTS:
            await asyncio.sleep(0.1)


INJECTORS: dict[str, Injector] = {
    "postgresql-restart-in-claim": restart_during("The worker's claim", "SHARE"),
    "postgresql-restart-in-completion": restart_during("Completion, in the transaction", "SHARE"),
    "postgresql-restart-in-rescue": restart_during("Running rows that nobody works on", "EXCLUSIVE"),
    "postgresql-away": go_away,
    "deadlock": cause_deadlocks,
    "long-snapshot": keep_snapshot,
    "disk-full": fill_disk,
}
