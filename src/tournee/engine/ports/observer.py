"""What the engine tells of its work while it works: to metrics, traces and alerts alike.

Owns the calls. Keeps: they are made on the event loop and return at once, an observer that fails is
logged and changes nothing, and without observers hardly anything is paid. Refuses to let one decide anything but
the trace context under which a job travels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum

import structlog

from tournee.engine.core.job import ClaimedJob, DeadJob, Dispatchable, Enqueued, Failure, NewJob, QueueName

log = structlog.get_logger(__name__)


class RunOutcome(StrEnum):
    """What one run of a handler came to."""

    COMPLETED = "completed"
    RETRIED = "retried"
    """The job itself failed and will run again."""
    DEAD = "dead"
    """The job itself failed for the last time."""
    PARKED = "parked"
    """An outage, or a kind that the process does not know."""
    SNOOZED = "snoozed"
    RELEASED = "released"
    """Given back unfinished."""
    CANCELLED = "cancelled"
    LOST = "lost"
    """The lease was another's by then."""
    UNKNOWN = "unknown"
    """The ledger never told what became of the commit."""


class Observer:
    """Overrides what it wants to hear; each call does nothing by default."""

    def stamp_jobs(self, jobs: Sequence[NewJob]) -> Sequence[NewJob]:
        """About to be inserted: the same jobs in the same order, perhaps under other trace contexts."""
        return jobs

    def note_inserted(self, jobs: Sequence[NewJob], answers: Sequence[Enqueued]) -> None:
        """The statement has answered, or failed (no answers); the transaction may still roll back."""

    def note_enqueued(self, counts: Mapping[tuple[QueueName, str], int]) -> None:
        """A transaction that the engine opened has committed so many new jobs, by queue and kind."""

    def note_dispatched(self, jobs: Sequence[Dispatchable], seconds: float) -> None:
        """The relay added them to Redis, which took so long."""

    def note_started(self, jobs: Sequence[ClaimedJob]) -> None:
        """A handler is about to be called with them, in the very task in which this is called."""

    def note_settled(self, job: ClaimedJob, outcome: RunOutcome, seconds: float, failure: Failure | None) -> None:
        """A run has ended, and what came of it is written; `seconds` from the call of the handler on."""

    def note_dead(self, dead: DeadJob) -> None:
        """A job is dead, after its last attempt or its last crash; the death is committed."""

    def note_rescued(self, returned: int) -> None:
        """So many jobs of dead workers, or past their deadline, went back to pending."""

    def note_outage(self, provider: str, breaker: str) -> None:
        """A job hit an outage of the provider, whose breaker now stands so."""

    def note_limited(self, provider: str) -> None:
        """In this outage the provider named a time before which it wants no more: it limits us."""


class Observers(Observer):
    """Tells several, one after the other; what one of them raises is logged and reaches nobody else."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = tuple(observers)

    def stamp_jobs(self, jobs: Sequence[NewJob]) -> Sequence[NewJob]:
        for observer in self._observers:
            try:
                jobs = observer.stamp_jobs(jobs)
            except Exception:
                log.exception("an observer failed", observer=type(observer).__name__)
        return jobs

    def note_inserted(self, jobs: Sequence[NewJob], answers: Sequence[Enqueued]) -> None:
        self._tell(lambda observer: observer.note_inserted(jobs, answers))

    def note_enqueued(self, counts: Mapping[tuple[QueueName, str], int]) -> None:
        self._tell(lambda observer: observer.note_enqueued(counts))

    def note_dispatched(self, jobs: Sequence[Dispatchable], seconds: float) -> None:
        self._tell(lambda observer: observer.note_dispatched(jobs, seconds))

    def note_started(self, jobs: Sequence[ClaimedJob]) -> None:
        self._tell(lambda observer: observer.note_started(jobs))

    def note_settled(self, job: ClaimedJob, outcome: RunOutcome, seconds: float, failure: Failure | None) -> None:
        self._tell(lambda observer: observer.note_settled(job, outcome, seconds, failure))

    def note_dead(self, dead: DeadJob) -> None:
        self._tell(lambda observer: observer.note_dead(dead))

    def note_rescued(self, returned: int) -> None:
        self._tell(lambda observer: observer.note_rescued(returned))

    def note_outage(self, provider: str, breaker: str) -> None:
        self._tell(lambda observer: observer.note_outage(provider, breaker))

    def note_limited(self, provider: str) -> None:
        self._tell(lambda observer: observer.note_limited(provider))

    def _tell(self, call: Callable[[Observer], None]) -> None:
        for observer in self._observers:
            try:
                call(observer)
            except Exception:
                log.exception("an observer failed", observer=type(observer).__name__)


NOBODY = Observer()
"""Hears nothing."""


def gather_observers(observers: Sequence[Observer]) -> Observer:
    """One to be told in place of all."""
    return Observers(observers) if observers else NOBODY
