"""What this process holds: claimed jobs, their tasks, and why one was told to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto

from tournee.engine.core.job import ClaimedJob, JobId


class StopReason(Enum):
    """Why a handler's task was cancelled by us."""

    LEASE_LOST = auto()
    CANCEL_REQUESTED = auto()
    SHUTDOWN = auto()


@dataclass(eq=False, slots=True)
class Held:
    """One claimed job, from the claim until BullMQ was told."""

    job: ClaimedJob
    token: str
    task: asyncio.Task[None] | None = None
    started: bool = False
    """The task has begun to run. One that is cancelled before would never begin, and nobody would settle the job."""
    stop_reason: StopReason | None = None
    settled: bool = False
    """The ledger knows the outcome; only BullMQ does not yet."""
    missing_looks: int = 0

    def stop(self, reason: StopReason) -> None:
        """Cancel the handler, unless its outcome is in the ledger already."""
        if self.settled or self.stop_reason is not None:
            return
        self.stop_reason = reason
        if self.task is not None and self.started:
            self.task.cancel()


@dataclass(slots=True)
class HeldJobs:
    """All that one queue's runner holds, by job id and lease."""

    _jobs: dict[tuple[JobId, int], Held] = field(default_factory=dict)

    def add(self, held: Held) -> None:
        self._jobs[held.job.id.job_id, held.job.lease] = held

    def remove(self, held: Held) -> None:
        self._jobs.pop((held.job.id.job_id, held.job.lease), None)

    def find(self, job_id: JobId, lease: int) -> Held | None:
        return self._jobs.get((job_id, lease))

    def __len__(self) -> int:
        return len(self._jobs)

    def __iter__(self) -> Iterator[Held]:
        return iter(list(self._jobs.values()))
