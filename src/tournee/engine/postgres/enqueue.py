"""Enqueue: the transaction that jobs are inserted in.

Keeps invariants 2 (one row per queue and key) and 5 (a rolled-back enqueue never runs): the rows are the caller's
until the caller commits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import asyncpg

from tournee.db.pool import Connection
from tournee.engine.core.errors import InvalidPayload, UnknownQueue
from tournee.engine.core.job import Enqueued, JobId, JobState, NewJob, Priority, QueueName
from tournee.engine.core.payload import Payload, to_new_job
from tournee.engine.ports import NOBODY, Observer
from tournee.engine.postgres.session import AGEING, SQL, Session, translated_errors

LOOK_AGAIN = 5
"""A row found in conflict may be pruned before it is read; how often the insert is tried anew."""


class EnqueueTransaction:
    """Keeps `engine.ports.Transaction` on an asyncpg connection whose transaction somebody else ends."""

    def __init__(self, connection: Connection, trace_context: str | None = None, observer: Observer = NOBODY) -> None:
        self._connection = connection
        self._trace_context = trace_context
        self._observer = observer
        self.created: Counter[tuple[QueueName, str]] = Counter()
        """How many jobs were created, by queue and kind, for what is told after the commit."""

    @property
    def connection(self) -> Connection:
        return self._connection

    async def enqueue(
        self,
        payload: Payload,
        *,
        delay: timedelta = timedelta(0),
        run_at: datetime | None = None,
        priority: Priority = Priority.NORMAL,
        trace_context: str | None = None,
    ) -> Enqueued:
        """See the port."""
        answers = await self.enqueue_many(
            [payload], delay=delay, run_at=run_at, priority=priority, trace_contexts=[trace_context]
        )
        return answers[0]

    async def enqueue_many(
        self,
        payloads: Sequence[Payload],
        *,
        delay: timedelta = timedelta(0),
        run_at: datetime | None = None,
        priority: Priority = Priority.NORMAL,
        trace_contexts: Sequence[str | None] | None = None,
    ) -> list[Enqueued]:
        """See the port."""
        traces = trace_contexts if trace_contexts is not None else [None] * len(payloads)
        jobs: Sequence[NewJob] = [
            to_new_job(
                payload, delay=delay, run_at=run_at, priority=priority, trace_context=trace or self._trace_context
            )
            for payload, trace in zip(payloads, traces, strict=True)
        ]
        jobs = self._observer.stamp_jobs(jobs)
        answers: list[Enqueued] = []
        try:
            answers = await insert_jobs(self._connection, jobs)
        finally:
            self._observer.note_inserted(jobs, answers)
        self.created.update((job.queue, job.kind) for job, answer in zip(jobs, answers, strict=True) if answer.created)
        return answers


@asynccontextmanager
async def open_transaction(session: Session, trace_context: str | None = None) -> AsyncIterator[EnqueueTransaction]:
    """A transaction in which jobs can be enqueued; after its commit the relays of their queues are nudged."""
    async with session.transaction() as connection:
        opened = EnqueueTransaction(connection, trace_context, session.observer)
        yield opened
    if opened.created:
        session.observer.note_enqueued(opened.created)
        session.on_enqueued({queue for queue, _ in opened.created})


async def insert_jobs(connection: Connection, jobs: Sequence[NewJob]) -> list[Enqueued]:
    """Insert all in one statement; answers in the order of `jobs`. The caller commits."""
    if not jobs:
        return []
    created: dict[tuple[str, str], int] = {}
    found: dict[tuple[str, str], tuple[int, str]] = {}
    missing = list(jobs)
    for _ in range(LOOK_AGAIN):
        created |= await _insert_missing(connection, missing)
        keys = {(job.queue, job.key) for job in jobs} - created.keys()
        found = await _read_states(connection, sorted(keys)) if keys else {}
        missing = [job for job in jobs if (job.queue, job.key) in keys - found.keys()]
        if not missing:
            break
    return _answers(jobs, created, found)


async def _insert_missing(connection: Connection, jobs: Sequence[NewJob]) -> dict[tuple[str, str], int]:
    arrays: tuple[list[Any], ...] = (
        [job.queue for job in jobs],
        [job.key for job in jobs],
        [job.kind for job in jobs],
        [job.version for job in jobs],
        [job.payload for job in jobs],
        [job.tenant for job in jobs],
        [int(job.priority) for job in jobs],
        [job.run_at for job in jobs],
        [job.delay for job in jobs],
        [job.max_attempts for job in jobs],
        [job.trace_context for job in jobs],
    )
    try:
        with translated_errors():
            rows = await connection.fetch(SQL.insert_jobs, *arrays, AGEING)
    except asyncpg.ForeignKeyViolationError as error:
        names = ", ".join(sorted({job.queue for job in jobs}))
        raise UnknownQueue(f"a queue among {names} was never declared: add a handler for it, or declare it") from error
    except (asyncpg.CheckViolationError, asyncpg.DataError) as error:
        raise InvalidPayload(f"the ledger refused a job: {error.args[0]}") from error
    return {(row["queue"], row["key"]): row["id"] for row in rows}


async def _read_states(
    connection: Connection, keys: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], tuple[int, str]]:
    with translated_errors():
        rows = await connection.fetch(SQL.read_states_by_key, [queue for queue, _ in keys], [key for _, key in keys])
    return {(row["queue"], row["key"]): (row["id"], row["state"]) for row in rows}


def _answers(
    jobs: Sequence[NewJob],
    created: dict[tuple[str, str], int],
    found: dict[tuple[str, str], tuple[int, str]],
) -> list[Enqueued]:
    answers: list[Enqueued] = []
    fresh = dict(created)
    for job in jobs:
        place = (job.queue, job.key)
        if place in found:
            job_id, state = found[place]
            answers.append(Enqueued(JobId(job_id), created=False, state=JobState(state)))
        else:
            # Of two jobs with one key in the same call, the first is the one that was created.
            first = fresh.pop(place, None) is not None
            answers.append(Enqueued(JobId(created[place]), created=first, state=JobState.PENDING))
    return answers
