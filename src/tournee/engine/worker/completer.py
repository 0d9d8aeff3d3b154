"""Completes effect-free jobs in batches.

One UPDATE for all that returned while the last one ran. A batch that errors is bisected to single rows, so that one bad
row does not hold its neighbours; an id missing from the answer is read again before it counts as lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog

from tournee.engine.core.job import ClaimedJob, JobState
from tournee.engine.ports import JobStore, LedgerContended, LedgerUnavailable
from tournee.engine.worker.outcome import LEDGER_DELAY, Completed, Lost, Outcome, Released, Unknown

log = structlog.get_logger(__name__)

MAX_BATCH = 500


class Completer:
    """Collects what effect-free handlers returned, and answers each with its outcome."""

    def __init__(self, store: JobStore) -> None:
        self._store = store
        self._pending: list[tuple[ClaimedJob, asyncio.Future[Outcome]]] = []
        self._flusher: asyncio.Task[None] | None = None

    async def complete(self, job: ClaimedJob) -> Outcome:
        """Completed, Lost, Unknown where the ledger could not be reached, or Released where it refused."""
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._pending.append((job, future))
        if self._flusher is None or self._flusher.done():
            self._flusher = asyncio.create_task(self._flush())
        return await future

    async def _flush(self) -> None:
        # One turn of the loop lets the handlers that end together share one statement.
        await asyncio.sleep(0)
        while self._pending:
            batch, self._pending = self._pending[:MAX_BATCH], self._pending[MAX_BATCH:]
            outcomes = await self._complete_batch([job for job, _ in batch])
            for (_, future), outcome in zip(batch, outcomes, strict=True):
                if not future.done():
                    future.set_result(outcome)

    async def _complete_batch(self, jobs: Sequence[ClaimedJob]) -> list[Outcome]:
        try:
            done = await self._store.complete_jobs(jobs)
        except LedgerUnavailable:
            # To ask in halves would only multiply the waiting; what became of it is asked when the ledger is back.
            return [Unknown() for _ in jobs]
        except Exception as error:
            if len(jobs) > 1:
                half = len(jobs) // 2
                return [*await self._complete_batch(jobs[:half]), *await self._complete_batch(jobs[half:])]
            if not isinstance(error, LedgerContended):
                log.exception("a job could not be completed", job=jobs[0].id.job_id)
            return [Released(LEDGER_DELAY)]
        return [Completed() if job.id.job_id in done else await self._reread(job) for job in jobs]

    async def _reread(self, job: ClaimedJob) -> Outcome:
        try:
            seen = await self._store.read_outcome(job)
        except (LedgerUnavailable, LedgerContended):
            return Unknown()
        return Completed() if seen == (JobState.COMPLETED, job.lease) else Lost()
