"""After the faults: wait for the backlog, then judge. The invariants' own checks give the verdict."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from contextlib import suppress

import asyncpg

from tests.chaos.report import DRAIN_SECONDS, Verdict
from tests.chaos.stage import Stage
from tests.chaos.workload import EFFECT_FREE
from tests.support.invariants import Evidence, check_all, gather
from tournee.db.pool import Pool

PATIENCE_SECONDS = 2 * DRAIN_SECONDS
"""A backlog that does not drain in time fails the run; to know what is wrong it is watched for longer."""
SETTLE_SECONDS = 20.0
"""How long both sides may take to agree, and dead letters to be shown, once nothing is live."""
LIVE = "SELECT count(*) FROM engine.jobs WHERE state IN ('pending', 'queued', 'running')"


async def wait_until_drained(stage: Stage) -> float | None:
    """Seconds until all was enqueued and no job is live; None if that did not come about."""
    began = time.monotonic()
    while (seconds := time.monotonic() - began) < PATIENCE_SECONDS:
        if stage.done.is_set() and await _count_live(stage) == 0:
            return seconds
        await asyncio.sleep(0.25)
    return None


async def _count_live(stage: Stage) -> int | None:
    with suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        async with stage.connect() as connection:
            return int(await connection.fetchval(LIVE))
    return None


async def judge(stage: Stage, pool: Pool, drain_seconds: float | None) -> Verdict:
    """Gather until the invariants hold at rest, or until the time for that is over."""
    until = time.monotonic() + SETTLE_SECONDS
    while True:
        evidence = await _gather(stage, pool)
        violations = [str(violation) for violation in check_all(evidence, at_rest=drain_seconds is not None)]
        if not violations or time.monotonic() > until:
            break
        await asyncio.sleep(1)
    violations += [f"{event['who']}: {event['what']}" for event in stage.events]
    return _summarise(stage, evidence, violations, drain_seconds)


async def _gather(stage: Stage, pool: Pool) -> Evidence:
    async with stage.connect_redis() as redis:
        return await gather(pool, redis, stage.journal, EFFECT_FREE)


def _summarise(stage: Stage, evidence: Evidence, violations: list[str], drain_seconds: float | None) -> Verdict:
    states = Counter(job.state for job in evidence.ledger.values())
    effects = Counter(effect.job_id for effect in evidence.effects)
    live = sum(job.state in ("pending", "queued", "running") for job in evidence.ledger.values())
    gone = len(evidence.told.acknowledged - evidence.keys.keys())
    return Verdict(
        jobs=len(evidence.ledger),
        states=states,
        lost=live + gone,
        duplicated_effects=sum(count - 1 for count in effects.values()),
        drain_seconds=drain_seconds,
        violations=violations,
        executions=len(evidence.told.starts),
        deaths_of_processes=sum(member.deaths for member in stage.members),
    )
