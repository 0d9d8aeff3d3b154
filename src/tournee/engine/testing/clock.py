"""Time travel: what lies ahead comes, without waiting for it.

Owns what moves: pending jobs, breakers and rate limits. A schedule's instants stand in the calendar and do not move;
`fire` makes the job of one of them.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tournee.db.pool import Connection
from tournee.engine.client import Engine, Enqueued
from tournee.engine.postgres.enqueue import insert_jobs, open_transaction
from tournee.engine.postgres.schedules import make_job
from tournee.engine.testing.sql import SQL


async def advance(engine: Engine, by: timedelta) -> int:
    """As if so much time had passed for every job that waits: delayed, retried, snoozed and parked ones become due,
    open breakers try again, rate limits fill. Commits. Answers how many jobs wait; runs none of them.
    """
    async with engine.store.session.transaction() as connection:
        moved = await _shift_jobs(connection, by)
        await _shift_breakers(connection, by)
        await _shift_buckets(connection, by)
    return moved


async def _shift_jobs(connection: Connection, by: timedelta) -> int:
    moved: int = await connection.fetchval(SQL["shift_jobs"], by)
    return moved


async def _shift_breakers(connection: Connection, by: timedelta) -> None:
    await connection.execute(SQL["shift_breakers"], by)


async def _shift_buckets(connection: Connection, by: timedelta) -> None:
    await connection.execute(SQL["shift_buckets"], by)


async def fire(engine: Engine, schedule: str, at: datetime | None = None) -> Enqueued:
    """Enqueue what a schedule would at its instant `at`, by default the next one; its row is left alone. Commits.

    Raises LookupError for a schedule that the registry does not declare.
    """
    declared = next((one for one in engine.registry.schedules if one.name == schedule), None)
    if declared is None:
        raise LookupError(f"no schedule {schedule!r} is declared")
    now = datetime.now(UTC)
    await engine.declare()
    async with open_transaction(engine.store.session) as transaction:
        job = make_job(declared, at or declared.cron.next_after(now), now)
        [answer] = await insert_jobs(transaction.connection, [job])
    return answer
