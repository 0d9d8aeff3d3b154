"""What the model is told of the real stores: all of the ledger in one statement, all of a queue in one round trip.

Owns the reading, and nothing else: it goes past the wrappers that lose answers. Thousands of steps are looked at, so
that round trips, and not the engine's own work, would decide how deep a run can go.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any
from uuid import UUID

from tests.interleavings.ledger import WRONG
from tests.properties.model import Gate, View
from tournee.db.pool import Pool
from tournee.engine.core.job import QueueName, parse_token

VIEWS = """
SELECT id, queue, key, state::text, attempt, max_attempts, crashes, outages, snoozes, dispatch, lease, suspect,
       cancel_requested, CASE WHEN state = 'running' THEN worker_id END AS worker, run_at <= now() AS due, alone,
       coalesce(deadline_at < now(), false) AS overdue
FROM engine.jobs ORDER BY id
"""
DOORS = """
SELECT q.name, q.paused, coalesce(p.state, 'closed') AS breaker,
       coalesce(p.state = 'open' AND p.retry_at <= now(), false) AS breaker_due, p.opened_at IS NOT NULL AS rationed,
       q.epoch
FROM engine.queues q LEFT JOIN engine.providers p ON p.name = q.provider
"""
WORKERS = "SELECT id FROM engine.workers WHERE NOT reported_dead"
EVERYTHING = f"""
SELECT (SELECT json_agg(v) FROM ({VIEWS}) v) AS views, (SELECT json_agg(d) FROM ({DOORS}) d) AS doors,
       (SELECT json_agg(w.id) FROM ({WORKERS}) w) AS workers, (SELECT json_agg(x) FROM ({WRONG}) x) AS wrong
"""
# Every word in it is one of the constants above.
FIELDS = [field.name for field in fields(View)]


@dataclass(frozen=True, slots=True)
class Door:
    """A queue and its breaker, as the ledger has them."""

    name: str
    paused: bool
    breaker: str
    breaker_due: bool
    rationed: bool
    epoch: int

    @property
    def shut(self) -> bool:
        return self.paused or self.breaker == "open"


@dataclass(frozen=True, slots=True)
class Sight:
    """The ledger at one moment."""

    views: Mapping[int, View]
    doors: Mapping[str, Door]
    workers: frozenset[UUID]
    """Those that nobody reported dead."""


NOTHING = Sight({}, {}, frozenset())


async def look_at_ledger(pool: Pool) -> Sight:
    """One snapshot; raises where a narrow table says something else than the rows do."""
    row = await pool.fetchrow(EVERYTHING)
    assert row is not None
    views, doors, workers, wrong = (json.loads(text) if text else [] for text in row)
    assert wrong == [], f"the narrow tables disagree with {wrong}"
    return Sight(
        {view["id"]: _read_view(view) for view in views},
        {door["name"]: Door(**door) for door in doors},
        frozenset(UUID(worker) for worker in workers),
    )


def _read_view(row: dict[str, Any]) -> View:
    worker = UUID(row["worker"]) if row["worker"] else None
    return View(**{**{name: row[name] for name in FIELDS}, "worker": worker})


@dataclass(frozen=True, slots=True)
class RedisSight:
    """A queue as Redis holds it."""

    epoch: int | None
    waiting: Sequence[bytes]
    present: frozenset[tuple[int, int]]
    """Waiting, or active and locked by a worker that lives."""

    def guard(self, door: Door) -> Gate:
        """Both sides' word on what may pass."""
        return Gate(
            door.name, door.paused, door.breaker, door.breaker_due, door.rationed, redis_lost=self.epoch != door.epoch
        )


async def look_at_redis(redis: Any, queue: QueueName, alive: frozenset[UUID]) -> RedisSight:
    """One round trip, and one more where something is active; by BullMQ's names."""
    base = f"bull:{queue}:"
    async with redis.pipeline(transaction=True) as pipe:
        pipe.get(f"{base}tournee-epoch")
        pipe.lrange(f"{base}wait", 0, -1)
        pipe.lrange(f"{base}active", 0, -1)
        epoch, waiting, active = await pipe.execute()
    tokens = await redis.mget([f"{base}{entry.decode()}:lock" for entry in active]) if active else []
    held = [entry for entry, token in zip(active, tokens, strict=True) if token and _is_held(token, alive)]
    pairs = [entry.decode().removeprefix("j").split("-") for entry in [*waiting, *held]]
    present = frozenset((int(job_id), int(dispatch)) for job_id, dispatch in pairs)
    return RedisSight(int(epoch) if epoch is not None else None, waiting, present)


def _is_held(token: bytes, alive: frozenset[UUID]) -> bool:
    holder = parse_token(token.decode())
    return holder is None or holder in alive
