"""Counts what the engine tells. Called for every job, so that label look-ups happen once for each kind only."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from prometheus_client import Counter, Histogram

from tournee.engine.client import Observer, QueueName, RunOutcome
from tournee.engine.core.job import ClaimedJob, DeadJob, Dispatchable, Failure
from tournee.telemetry import catalogue
from tournee.telemetry.meters import Meters

ENDS = frozenset({RunOutcome.COMPLETED, RunOutcome.DEAD})
UNKNOWN_KIND = "unknown"


@dataclass(frozen=True, slots=True)
class _KindMeters:
    """The meters of one kind of job in one queue, looked up once."""

    started: Counter
    wait: Histogram
    run: Histogram
    attempts: Histogram
    outcomes: Mapping[RunOutcome, Counter]


class EngineMeter(Observer):
    """Counts one process's work. `knows` tells which kinds exist: others, of another version, are counted as one."""

    def __init__(self, meters: Meters, knows: Callable[[str], bool]) -> None:
        self._knows = knows
        self._enqueued = meters.count(catalogue.JOBS_ENQUEUED)
        self._dispatched = meters.count(catalogue.JOBS_DISPATCHED)
        self._started = meters.count(catalogue.JOBS_STARTED)
        self._runs = meters.count(catalogue.JOB_RUNS)
        self._dead = meters.count(catalogue.JOBS_DEAD)
        self._rescued = meters.count(catalogue.JOBS_RESCUED)
        self._outages = meters.count(catalogue.PROVIDER_OUTAGES)
        self._wait = meters.measure(catalogue.JOB_WAIT)
        self._run = meters.measure(catalogue.JOB_RUN)
        self._attempts = meters.measure(catalogue.JOB_ATTEMPTS)
        self._latency = meters.measure(catalogue.DISPATCH_LATENCY)
        self._add = meters.measure(catalogue.REDIS_ADD)
        self._kinds: dict[tuple[str, str], _KindMeters] = {}
        self._latencies: dict[str, Histogram] = {}

    def note_enqueued(self, counts: Mapping[tuple[QueueName, str], int]) -> None:
        for (queue, kind), count in counts.items():
            self._enqueued.labels(queue, self._name(kind)).inc(count)

    def note_dispatched(self, jobs: Sequence[Dispatchable], seconds: float) -> None:
        if jobs:
            self._dispatched.labels(jobs[0].queue).inc(len(jobs))
            self._add.observe(seconds)

    def note_started(self, jobs: Sequence[ClaimedJob]) -> None:
        for job in jobs:
            meters = self._find(job)
            meters.started.inc()
            # All three times are PostgreSQL's, so that no clock of ours makes a wait longer or negative.
            meters.wait.observe(max(0.0, (job.started_at - job.run_at).total_seconds()))
            latency = self._latencies.get(job.queue)
            if latency is None:
                latency = self._latencies[job.queue] = self._latency.labels(job.queue)
            latency.observe(max(0.0, (job.dispatched_at - job.run_at).total_seconds()))

    def note_settled(self, job: ClaimedJob, outcome: RunOutcome, seconds: float, failure: Failure | None) -> None:
        meters = self._find(job)
        meters.outcomes[outcome].inc()
        meters.run.observe(seconds)
        if outcome in ENDS:
            meters.attempts.observe(job.attempt_number)

    def note_dead(self, dead: DeadJob) -> None:
        self._dead.labels(dead.queue, self._name(dead.kind)).inc()

    def note_rescued(self, returned: int) -> None:
        self._rescued.inc(returned)

    def note_outage(self, provider: str, breaker: str) -> None:
        self._outages.labels(provider).inc()

    def _name(self, kind: str) -> str:
        return kind if self._knows(kind) else UNKNOWN_KIND

    def _find(self, job: ClaimedJob) -> _KindMeters:
        found = self._kinds.get((job.queue, job.kind))
        return found if found is not None else self._look_up(job.queue, self._name(job.kind))

    def _look_up(self, queue: str, kind: str) -> _KindMeters:
        found = self._kinds.get((queue, kind))
        if found is None:
            # A counter that begins with its first death would hide that one: it must have stood at 0 before.
            self._dead.labels(queue, kind)
            found = self._kinds[queue, kind] = _KindMeters(
                started=self._started.labels(queue, kind),
                wait=self._wait.labels(queue, kind),
                run=self._run.labels(queue, kind),
                attempts=self._attempts.labels(queue, kind),
                outcomes={outcome: self._runs.labels(queue, kind, outcome) for outcome in RunOutcome},
            )
        return found
