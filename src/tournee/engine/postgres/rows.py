"""From a row of PostgreSQL to the engine's words. Pure."""

from __future__ import annotations

from typing import Any

from tournee.engine.core.job import (
    ClaimedJob,
    DeadJob,
    Dispatchable,
    DispatchId,
    Failure,
    JobId,
    Priority,
    QueueName,
    WorkerId,
)
from tournee.engine.ports import ProviderRow, WorkerRow


def to_dispatchable(row: Any, stacks: tuple[str, ...]) -> Dispatchable:
    """What the relay adds to BullMQ."""
    return Dispatchable(
        id=DispatchId(JobId(row["id"]), row["dispatch"]),
        queue=QueueName(row["queue"]),
        key=row["key"],
        kind=row["kind"],
        tenant=row["tenant"],
        payload=row["payload"],
        priority=Priority(row["priority"]),
        attempt=row["attempt"],
        max_attempts=row["max_attempts"],
        created_at=row["created_at"],
        trace_context=row["trace_context"],
        earlier_errors=stacks,
        front=row["front"],
    )


def to_claimed(row: Any) -> ClaimedJob:
    """What a claim brought."""
    return ClaimedJob(
        id=DispatchId(JobId(row["id"]), row["dispatch"]),
        queue=QueueName(row["queue"]),
        key=row["key"],
        kind=row["kind"],
        version=row["version"],
        tenant=row["tenant"],
        payload=row["payload"],
        lease=row["lease"],
        attempt=row["attempt"],
        max_attempts=row["max_attempts"],
        crashes=row["crashes"],
        outages=row["outages"],
        suspect=row["suspect"],
        cancel_requested=row["cancel_requested"],
        created_at=row["created_at"],
        run_at=row["run_at"],
        dispatched_at=row["dispatched_at"],
        started_at=row["started_at"],
        trace_context=row["trace_context"],
    )


def to_dead(row: Any, failure: Failure) -> DeadJob:
    """A dead letter, with its last error."""
    return DeadJob(
        job_id=JobId(row["id"]),
        queue=QueueName(row["queue"]),
        key=row["key"],
        kind=row["kind"],
        tenant=row["tenant"],
        payload=row["payload"],
        attempt=row["attempt"],
        crashes=row["crashes"],
        dispatch=row["dispatch"],
        error=failure,
        died_at=row["died_at"] if "died_at" in row else row["finished_at"],
        trace_context=row["trace_context"],
        version=row["version"],
    )


def to_worker(row: Any) -> WorkerRow:
    """A process as it announced itself."""
    return WorkerRow(
        id=WorkerId(row["id"]),
        name=row["name"],
        host=row["host"],
        pid=row["pid"],
        queues=row["queues"],
        beat=row["beat"],
        beat_at=row["beat_at"],
        started_at=row["started_at"],
        stopping=row["stopping"],
        reported_dead=row["reported_dead"],
    )


def to_provider(row: Any) -> ProviderRow:
    """A breaker."""
    return ProviderRow(
        name=row["name"],
        state=row["state"],
        failures=row["failures"],
        openings=row["openings"],
        reason=row["reason"],
        opened_at=row["opened_at"],
        retry_at=row["retry_at"],
    )
