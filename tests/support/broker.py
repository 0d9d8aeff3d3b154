"""Jobs, dead letters and outcomes for tests of the dispatcher, with values that a test names only where it matters."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from tournee.engine.bullmq.broker import BullmqBroker
from tournee.engine.core.job import DeadJob, Dispatchable, DispatchId, Failure, JobId, Priority, QueueName
from tournee.engine.ports import Fetched, Finished

QUEUE = QueueName("processMails")
BASE = f"bull:{QUEUE}:"
LETTERS = "bull:deadLetters:"
TOKEN = "worker-1"

MakeBroker = Callable[..., BullmqBroker]
Client = Any
"""A plain redis client; its own types leave open whether an answer must be awaited."""


def make_job(job_id: int, dispatch: int = 1, **fields: Any) -> Dispatchable:
    """A normal job's first dispatch, unless `fields` says otherwise."""
    values: dict[str, Any] = {
        "queue": QUEUE,
        "key": f"key-{job_id}",
        "kind": "analyse-newsletter",
        "tenant": "mailbox:1",
        "payload": {"newsletter_id": job_id},
        "priority": Priority.NORMAL,
        "attempt": 0,
        "max_attempts": 3,
        "created_at": datetime(2026, 1, 1, tzinfo=UTC),
        "trace_context": None,
    }
    return Dispatchable(DispatchId(JobId(job_id), dispatch), **{**values, **fields})


def make_dead(job_id: int, dispatch: int = 1, **fields: Any) -> DeadJob:
    """A dead job; a higher id died later."""
    values: dict[str, Any] = {
        "queue": QUEUE,
        "key": f"key-{job_id}",
        "kind": "analyse-newsletter",
        "tenant": "mailbox:1",
        "payload": {"newsletter_id": job_id},
        "attempt": 3,
        "crashes": 0,
        "error": Failure("ValueError", "no JSON", "Traceback …\nValueError: no JSON"),
        "died_at": datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=job_id),
        "trace_context": None,
    }
    return DeadJob(job_id=JobId(job_id), dispatch=dispatch, **{**values, **fields})


def dispatch_id(job_id: int, dispatch: int = 1) -> DispatchId:
    return DispatchId(JobId(job_id), dispatch)


def finish(fetched: Fetched, **fields: Any) -> Finished:
    """The outcome of a fetched job: completed and kept, unless `fields` says otherwise."""
    assert fetched.id is not None
    return Finished(fetched.id, fetched.token, **{"succeeded": True, "kept": True, **fields})


def fail(fetched: Fetched, **fields: Any) -> Finished:
    """The outcome of a job that died: failed and kept, unless `fields` says otherwise."""
    return finish(fetched, **{"succeeded": False, "failed_reason": "no JSON", "stack_trace": ["a trace"], **fields})


async def run_to_death(broker: BullmqBroker, *job_ids: int) -> None:
    """Add, fetch and fail jobs, so that they lie in the failed set."""
    await broker.add(QUEUE, [make_job(job_id) for job_id in job_ids])
    fetched = await broker.exchange(QUEUE, [], len(job_ids), TOKEN)
    await broker.exchange(QUEUE, [fail(entry) for entry in fetched], 0, TOKEN)


async def wait_until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Ask the server until it says so; there is no event to wait on for what another client did."""
    async with asyncio.timeout(60):
        while not await condition():  # noqa: ASYNC110 — the event happens in another process
            await asyncio.sleep(0.005)
