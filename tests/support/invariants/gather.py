"""Gathers the evidence: one snapshot of PostgreSQL, one look at Redis, the journal.

Reads Redis by BullMQ's key names and not through the engine, so that the engine's own mistakes can't hide here.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from tests.support.invariants.evidence import (
    AttemptEvidence,
    AuditEvidence,
    BrokerQueue,
    Change,
    Effect,
    Evidence,
    JobEvidence,
    QueueEvidence,
    Told,
)
from tests.support.invariants.journal import Journal
from tournee.db.pool import Connection, Pool

PREFIX = "bull"
LETTERS = "deadLetters"

JOBS = """
SELECT id, queue, key, kind, payload, state::text, attempt, max_attempts, crashes, outages, snoozes, dispatch, lease,
       run_at
FROM engine.jobs ORDER BY id
"""
QUEUES = """
SELECT q.name, q.epoch, q.paused OR coalesce(p.state, 'closed') <> 'closed' AS shut
FROM engine.queues q LEFT JOIN engine.providers p ON p.name = q.provider
"""
CHANGES = """
SELECT seq, xid, at, job_id, queue, key, old_state, new_state, old_lease, new_lease, old_attempt, new_attempt,
       old_crashes, new_crashes, old_alone, run_at
FROM evidence.history ORDER BY seq
"""
AUDIT = "SELECT a.action, a.job_ids, coalesce(e.xid, '') AS xid FROM engine.audit_log a LEFT JOIN evidence.audits e"
RECORDING = "SELECT EXISTS (SELECT FROM pg_trigger WHERE tgname = 'record_update')"


async def gather(pool: Pool, redis: Any, journal: Journal | None = None, effect_free: Collection[str] = ()) -> Evidence:
    """All that there is to know, at rest or at any time. `install_recorder` must have run on this database.

    `effect_free` names the queues whose handlers write nothing into `evidence.effects`. The look at Redis comes after
    the snapshot, so only at rest do the two tell of one moment.
    """
    # The journal first: what it tells of was committed before, so that the snapshot must show it.
    told = journal.read() if journal else Told()
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        read = await _read_ledger(connection)
    broker = {name: await _read_queue(redis, name) for name in sorted(read["queues"])}
    letters = await redis.lrange(f"{PREFIX}:{LETTERS}:wait", 0, -1)
    return Evidence(
        **read,
        broker=broker,
        dead_letters=frozenset(_texts(letters)),
        told=told,
        effect_free=frozenset(effect_free),
    )


async def _read_ledger(connection: Connection) -> dict[str, Any]:
    fetch = connection.fetch
    # Between two statements the rows of minutes of chaos become Python objects: longer than the engine may be idle.
    await connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
    recorded = await connection.fetchval(RECORDING)
    audit = await fetch(f"{AUDIT} ON e.audit_id = a.id ORDER BY a.id")
    return {
        "at": await connection.fetchval("SELECT clock_timestamp()"),
        "ledger": {row["id"]: JobEvidence(**dict(row)) for row in await fetch(JOBS)},
        "ready": [row["job_id"] for row in await fetch("SELECT job_id FROM engine.ready")],
        "inflight": [(row["queue"], row["job_id"]) for row in await fetch("SELECT queue, job_id FROM engine.inflight")],
        "dead": [
            row["job_id"] for row in await fetch("SELECT job_id FROM engine.dead ORDER BY died_at DESC, job_id DESC")
        ],
        "attempts": [
            AttemptEvidence(*row)
            for row in await fetch("SELECT job_id, lease, outcome, error_class FROM engine.job_attempts")
        ],
        "audit": [AuditEvidence(row["action"], tuple(row["job_ids"]), row["xid"]) for row in audit],
        "queues": {row["name"]: QueueEvidence(**dict(row)) for row in await fetch(QUEUES)},
        "history": [Change(*row) for row in await fetch(CHANGES)] if recorded else None,
        "effects": [Effect(*row) for row in await fetch("SELECT job_id, lease, at FROM evidence.effects")],
    }


async def _read_queue(redis: Any, name: str) -> BrokerQueue:
    base = f"{PREFIX}:{name}:"
    async with redis.pipeline(transaction=True) as pipe:
        for part in ("wait", "paused", "active"):
            pipe.lrange(base + part, 0, -1)
        pipe.get(f"{base}tournee-epoch")
        waiting, paused, active, epoch = await pipe.execute()
    running = _texts(active)
    return BrokerQueue(
        waiting=frozenset(_texts([*waiting, *paused])),
        active=frozenset(running),
        locked=frozenset([raw_id for raw_id in running if await redis.exists(f"{base}{raw_id}:lock")]),
        epoch=int(epoch) if epoch is not None else None,
    )


def _texts(values: Sequence[bytes | str]) -> list[str]:
    return [value.decode() if isinstance(value, bytes) else value for value in values]
