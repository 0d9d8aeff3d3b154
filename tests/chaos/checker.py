"""After the faults: wait for the backlog, then judge. The invariants' own checks give the verdict."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass

import asyncpg

from tests.chaos.report import DRAIN_SECONDS, Verdict
from tests.chaos.stage import Stage
from tests.chaos.workload import EFFECT_FREE
from tests.support.invariants import Evidence, check_all, gather
from tournee.db.pool import Pool

PATIENCE_SECONDS = 2 * DRAIN_SECONDS
"""A backlog that does not drain in time fails the run; to know what is wrong it is watched for longer."""
LATE_SECONDS = 600.0
"""How late the load may be: what a slow machine could not enqueue in time is enqueued after the faults."""
SETTLE_SECONDS = 20.0
"""How long both sides may take to agree, and dead letters to be shown, once nothing is live."""
LIVE = "SELECT count(*) FROM engine.jobs WHERE state IN ('pending', 'queued', 'running') AND id <= $1"
NEWEST = "SELECT coalesce(max(id), 0) FROM engine.jobs"
EVERY = 2**62


@dataclass(frozen=True, slots=True)
class Drained:
    """Seconds since the faults have stopped; None: it did not come about.

    `backlog`: until no job was live that was there at that moment. `all`: until the load was at its end too, and no job
    live.
    """

    backlog: float | None = None
    all: float | None = None


async def wait_until_drained(stage: Stage) -> Drained:
    """Watch the backlog go, and then what came after it."""
    began = time.monotonic()
    newest = await _read(stage, NEWEST)
    backlog = await _wait_until_none(stage, EVERY if newest is None else newest, began)
    try:
        async with asyncio.timeout(LATE_SECONDS):
            await stage.done.wait()
    except TimeoutError:
        return Drained(backlog)
    return Drained(backlog, await _wait_until_none(stage, EVERY, began))


async def _wait_until_none(stage: Stage, newest: int, began: float) -> float | None:
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        if await _read(stage, LIVE, newest) == 0:
            return time.monotonic() - began
        await asyncio.sleep(0.25)
    return None


async def _read(stage: Stage, query: str, *arguments: int) -> int | None:
    with suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        async with stage.connect() as connection:
            return int(await connection.fetchval(query, *arguments))
    return None


async def judge(stage: Stage, pool: Pool, drained: Drained) -> Verdict:
    """Gather until the invariants hold at rest, or until the time for that is over."""
    until = time.monotonic() + SETTLE_SECONDS
    while True:
        evidence = await _gather(stage, pool)
        violations = [str(violation) for violation in check_all(evidence, at_rest=drained.all is not None)]
        if not violations or time.monotonic() > until:
            break
        await asyncio.sleep(1)
    violations += [f"{event['who']}: {event['what']}" for event in stage.events]
    return _summarise(stage, evidence, violations, drained)


async def _gather(stage: Stage, pool: Pool) -> Evidence:
    async with stage.connect_redis() as redis:
        return await gather(pool, redis, stage.journal, EFFECT_FREE)


def _summarise(stage: Stage, evidence: Evidence, violations: list[str], drained: Drained) -> Verdict:
    states = Counter(job.state for job in evidence.ledger.values())
    effects = Counter(effect.job_id for effect in evidence.effects)
    live = sum(job.state in ("pending", "queued", "running") for job in evidence.ledger.values())
    gone = len(evidence.told.acknowledged - evidence.keys.keys())
    return Verdict(
        jobs=len(evidence.ledger),
        states=states,
        lost=live + gone,
        duplicated_effects=sum(count - 1 for count in effects.values()),
        drain_seconds=drained.backlog,
        end_seconds=drained.all,
        violations=violations,
        executions=len(evidence.told.starts),
        deaths_of_processes=sum(member.deaths for member in stage.everybody),
    )
