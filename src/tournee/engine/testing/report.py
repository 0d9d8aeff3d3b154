"""What a drain did: one entry a run, and what is left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tournee.engine.core.job import JobId, QueueName
from tournee.engine.ports import AttemptRow, JobRow, RunOutcome

GOOD = frozenset({RunOutcome.COMPLETED, RunOutcome.SNOOZED, RunOutcome.CANCELLED})


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one job, as the ledger has it afterwards."""

    job_id: JobId
    queue: QueueName
    kind: str
    key: str
    payload: Mapping[str, Any]
    attempt_number: int
    """1 for the first attempt."""
    outcome: RunOutcome
    attempt: AttemptRow | None = None
    """What went wrong, if it did: error class, message, stack."""
    progress: float | None = None
    """The last that the handler told, in per cent."""
    lines: Sequence[str] = ()
    """What it logged for the board."""

    def __str__(self) -> str:
        told = f"{self.outcome:<9} {self.kind} {self.key!r} in {self.queue}, attempt {self.attempt_number}"
        if self.attempt is None:
            return told
        return f"{told}: {self.attempt.error_class}: {self.attempt.message}"


@dataclass(frozen=True, slots=True)
class DrainReport:
    """All runs in their order, and the live jobs that are left: not due yet, paused, or held back by a breaker."""

    runs: Sequence[Run]
    left: Sequence[JobRow]

    @property
    def outcomes(self) -> Counter[RunOutcome]:
        """How many runs came to what; a job that ran twice counts twice."""
        return Counter(run.outcome for run in self.runs)

    def of_kind(self, kind: str) -> list[Run]:
        """The runs of one kind of job."""
        return [run for run in self.runs if run.kind == kind]

    def require_success(self) -> DrainReport:
        """Itself, if no run failed or met an outage; else AssertionError with every error and stack."""
        bad = [run for run in self.runs if run.outcome not in GOOD]
        if bad:
            stacks = "\n\n".join(f"{run}\n{run.attempt.stack if run.attempt else ''}".rstrip() for run in bad)
            raise AssertionError(f"{len(bad)} of {len(self.runs)} runs did not succeed:\n\n{stacks}")
        return self

    def __str__(self) -> str:
        lines = [str(run) for run in self.runs] or ["nothing was due"]
        left = [f"left      {job.kind} {job.key!r} in {job.queue}, {job.state}, from {job.run_at}" for job in self.left]
        return "\n".join([*lines, *left])
