"""Dispatch: what the relay marks, and what goes back when Redis did not take it.

Keeps invariants 11 and 12 on the ledger's side: a mark commits before anything is added to Redis, and a row whose
run_at lies ahead is never marked. Keeps every limit exactly: what is in flight is counted, and tokens are spent, under
the lock by which one relay at a time fills a queue; nothing else puts rows in flight.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from tournee.db.pool import Connection
from tournee.engine.core.job import Dispatchable, DispatchId, JobId, QueueName
from tournee.engine.core.limits import Allowance, Occupancy, Rate, find_allowance, pay_front_debt
from tournee.engine.ports import Gate, Marked, QueueDeclaration, Room
from tournee.engine.postgres.rows import to_dispatchable
from tournee.engine.postgres.session import SQL, Session, columns

TENANTS_PER_FILL = 1000
"""How many tenants one fill visits at most; the next fill goes on behind the last."""
FULL_TENANTS_PER_FILL = 4000
"""How many more it passes over because they are at their limit; each costs one look at an index."""
NEWCOMERS_SOUGHT = 100
"""How many tenants are visited in search of those with nothing in flight, though the window is full."""
PROMOTE_AT_ONCE = 10_000
BUCKETS_AT_ONCE = 10_000


class DispatchStore:
    """The relay's part of the ledger."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def declare_queues(self, queues: Sequence[QueueDeclaration]) -> None:
        """See the port."""
        await self._session.execute(
            SQL.declare_queues,
            [queue.name for queue in queues],
            [queue.priority for queue in queues],
            [queue.provider for queue in queues],
            [queue.max_attempts for queue in queues],
            [queue.limits.concurrency for queue in queues],
            [queue.limits.per_tenant_concurrency for queue in queues],
            *_rate_columns([queue.limits.rate for queue in queues]),
            *_rate_columns([queue.limits.per_tenant_rate for queue in queues]),
        )

    async def read_gate(self, queue: QueueName) -> Gate:
        """See the port."""
        row = await self._session.fetch_row(SQL.read_gate, queue, prompt=True)
        if row is None:
            raise LookupError(f"queue {queue} was never declared")
        return Gate(
            paused=row["paused"],
            provider=row["provider"],
            breaker=row["breaker"],
            breaker_due=row["breaker_due"],
            closed_for_seconds=row["closed_for"],
            epoch=row["epoch"],
            concurrency=row["concurrency"],
            consumed_per_second=row["consumed"],
            concurrency_limit=row["concurrency_limit"],
            limited=row["limited"],
        )

    async def mark_queued(self, queue: QueueName, room: Room) -> Marked:
        """See the port."""
        async with self._session.transaction(prompt="mark_queued") as connection:
            if not await _take_fill_locks(connection, queue, room):
                return Marked([], 0, busy=True)
            seen = await connection.fetchrow(SQL.promote_due, queue, PROMOTE_AT_ONCE, room.provider is not None)
            assert seen is not None, "the queue was declared"
            if seen["paused"] or seen["half_open"] is not (room.provider is not None):
                # It changed since the relay looked: how much room there is must be found anew.
                return Marked([], 0, busy=True)
            occupancy = _read_occupancy(seen)
            allowance = find_allowance(room.limit, room.urgent_reserve, occupancy)
            if allowance.is_empty:
                return Marked([], 0, token_seconds=seen["token_seconds"])
            answer = await _mark_queued(connection, queue, seen, allowance)
            rows = [row for row in answer if row["id"] is not None]
            front = sum(row["front"] for row in rows)
            debt = pay_front_debt(room.urgent_reserve, occupancy, front, len(rows) - front)
            await _write_fill(connection, queue, answer[0]["last_tenant"], debt)
            waits = [answer[0]["token_seconds"]]
            if rows and (occupancy.tokens is not None or seen["tenant_rate_limit"] is not None):
                waits.append(await _spend_tokens(connection, queue, rows))
            stacks = await _read_stacks(connection, [row["id"] for row in rows if row["attempt"] > 0])
        jobs = _put_in_order([to_dispatchable(row, stacks.get(row["id"], ())) for row in rows])
        soonest = min((wait for wait in waits if wait is not None), default=None)
        return Marked(jobs, allowance.places, token_seconds=soonest)

    async def half_open_breaker(self, provider: str) -> None:
        """See the port."""
        async with self._session.transaction() as connection:
            for row in await connection.fetch(SQL.half_open_breaker, provider):
                await connection.fetchval(SQL.sweep_queued, row["name"])

    async def return_queued(self, ids: Sequence[DispatchId]) -> Sequence[JobId]:
        """See the port."""
        if not ids:
            return []
        return [JobId(row["id"]) for row in await self._session.fetch(SQL.return_queued, *columns(ids), prompt=True)]

    async def prune_buckets(self) -> int:
        """See the port."""
        return int(await self._session.fetch_value(SQL.prune_buckets, BUCKETS_AT_ONCE))


async def _take_fill_locks(connection: Connection, queue: QueueName, room: Room) -> bool:
    locks = [queue] if room.provider is None else [queue, f"provider:{room.provider}"]
    for lock in locks:
        if not await connection.fetchval(SQL.try_fill_lock, lock):
            return False
    return True


def _put_in_order(jobs: Sequence[Dispatchable]) -> list[Dispatchable]:
    # Each one for the front is put before all that waits, so the first to run must be the last to be added.
    return [*(job for job in jobs if not job.front), *(job for job in reversed(jobs) if job.front)]


def _read_occupancy(seen: Any) -> Occupancy:
    return Occupancy(
        in_flight=seen["in_flight"],
        tenants=seen["tenants"],
        counted=seen["counted"],
        front_debt=seen["front_debt"],
        concurrency=seen["concurrency_limit"],
        tokens=seen["tokens"] if seen["rate_limit"] is not None else None,
    )


async def _mark_queued(connection: Connection, queue: QueueName, seen: Any, allowance: Allowance) -> list[Any]:
    """The mark itself; answers at least one row, without an id where nothing was marked."""
    sought = NEWCOMERS_SOUGHT if allowance.newcomers else 1
    visit = max(sought, min(allowance.places, TENANTS_PER_FILL)) + min(seen["full_tenants"], FULL_TENANTS_PER_FILL)
    return await connection.fetch(
        SQL.mark_queued,
        queue,
        allowance.places,
        seen["tenant_cursor"],
        visit,
        allowance.front,
        allowance.newcomers,
        seen["tenant_concurrency_limit"],
        seen["tenant_rate_limit"],
        seen["tenant_rate_period"],
    )


async def _write_fill(connection: Connection, queue: QueueName, last_tenant: str | None, front_debt: int) -> None:
    await connection.execute(SQL.write_fill, queue, last_tenant, front_debt)


async def _spend_tokens(connection: Connection, queue: QueueName, rows: Sequence[Any]) -> float | None:
    """Answers in how many seconds a bucket that is empty now holds a token again."""
    spent = Counter(row["tenant"] for row in rows)
    seconds: float | None = await connection.fetchval(SQL.spend_tokens, queue, list(spent), list(spent.values()))
    return seconds


def _rate_columns(rates: Sequence[Rate | None]) -> tuple[list[int | None], list[timedelta | None]]:
    return [rate.count if rate else None for rate in rates], [rate.period if rate else None for rate in rates]


async def _read_stacks(connection: Connection, job_ids: Sequence[int]) -> dict[int, tuple[str, ...]]:
    if not job_ids:
        return {}
    rows = await connection.fetch(SQL.read_stacks, job_ids)
    return {row["job_id"]: tuple(row["stacks"]) for row in rows}
