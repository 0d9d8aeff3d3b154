"""Whose fault it is that a run's transaction was broken off: the ledger's, or the job's own.

A transaction that takes too long is broken off, by our own limit for a statement or by PostgreSQL's. In an outage that
uses no attempt. But while the ledger answers this process's heartbeats all along, a job that meets it time and again is
its own cause: the third time in a row is a failure. Keeps invariants 1 and 8: no job is released for ever, and an
outage is charged to none. What stands in the way of others (locks) is charged to nobody and waited for, each time
longer. The memory is this process's own, and bounded: after a restart a job has to show itself anew.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from datetime import timedelta

import structlog

from tournee.engine.core.job import ClaimedJob, JobId
from tournee.engine.ports import LedgerContended, TransactionOverdue
from tournee.engine.worker.outcome import LEDGER_DELAY, Failed, Outcome, Released, classify_error, describe_failure

log = structlog.get_logger(__name__)

STRIKES = 3
"""So many transactions in a row that took too long, in a ledger that is well, are one failed attempt."""
SILENCE_SECONDS = 4.0
"""A longer time between two answered heartbeats is a silence: the ledger was away, or this process stood still."""
MAX_CONTENDED_DELAY = timedelta(seconds=60)
REMEMBERED = 1_000


class Pulse:
    """Since when the ledger has answered each heartbeat of this process. Times are the event loop's, in seconds."""

    def __init__(self) -> None:
        self._well_since: float | None = None
        self._answered_at = 0.0

    def note_answer(self, now: float) -> None:
        """A heartbeat was written."""
        if self._well_since is None or now - self._answered_at > SILENCE_SECONDS:
            self._well_since = now
        self._answered_at = now

    def note_silence(self) -> None:
        """A heartbeat was not written, or not in time."""
        self._well_since = None

    def was_steady(self, since: float, now: float) -> bool:
        """Whether the ledger answered all along from `since` to `now`."""
        return self._well_since is not None and self._well_since <= since and now - self._answered_at <= SILENCE_SECONDS


class Strikes:
    """What an exception that left a handler comes to, in the light of the runs before."""

    def __init__(self, pulse: Pulse) -> None:
        self._pulse = pulse
        self._overdue = _Tally()
        self._contended = _Tally()

    def judge(self, error: BaseException, jobs: Sequence[ClaimedJob], since: float, now: float) -> Outcome:
        """The outcome for all of `jobs`, whose handler was called at `since`."""
        if isinstance(error, LedgerContended):
            waits = self._contended.count(jobs)
            delay = min(LEDGER_DELAY * 2 ** min(waits - 1, 10), MAX_CONTENDED_DELAY)
            log.warning(
                "released: another session was in the way", job=jobs[0].id.job_id, times=waits, error=str(error)
            )
            return Released(delay)
        if not isinstance(error, TransactionOverdue) or not self._pulse.was_steady(since, now):
            return classify_error(error)
        strikes = self._overdue.count(jobs)
        log.warning("a transaction took too long", job=jobs[0].id.job_id, strikes=strikes, error=str(error))
        return Failed(describe_failure(error)) if strikes >= STRIKES else Released(LEDGER_DELAY)

    def note_outcome(self, job: ClaimedJob, outcome: Outcome) -> None:
        """A row is one of releases; whatever else a run comes to ends it."""
        if not isinstance(outcome, Released):
            self._overdue.forget(job)
            self._contended.forget(job)


class _Tally:
    """Counts by job; forgets those that were counted longest ago."""

    def __init__(self) -> None:
        self._counts: OrderedDict[JobId, int] = OrderedDict()

    def count(self, jobs: Sequence[ClaimedJob]) -> int:
        """One more for each; answers the highest."""
        for job in jobs:
            self._counts[job.id.job_id] = self._counts.pop(job.id.job_id, 0) + 1
        while len(self._counts) > REMEMBERED:
            self._counts.popitem(last=False)
        return max(self._counts.get(job.id.job_id, 1) for job in jobs)

    def forget(self, job: ClaimedJob) -> None:
        self._counts.pop(job.id.job_id, None)
