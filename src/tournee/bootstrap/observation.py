"""From the engine's words to what an operator is told (`tournee.reports`). Pure but for the reads it is handed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from tournee.engine.client import AttemptRow, DeadJob, JobRow, ProviderRow, QueueOverview, ScheduleRow, WorkerRow
from tournee.pipeline.store.console_rows import Mailbox
from tournee.pipeline.store.console_waiting import Limits
from tournee.reports import (
    AttemptReport,
    JobDetail,
    JobReport,
    LimitsReport,
    MailboxReport,
    ProviderReport,
    QueueReport,
    ScheduleReport,
    WorkerReport,
)
from tournee.settings import QUEUES


def to_queue_report(view: QueueOverview, limits: Limits | None = None) -> QueueReport:
    """One queue, both sides, with what limits it."""
    ledger, redis = view.ledger, view.redis
    return QueueReport(
        queue=ledger.queue,
        priority=ledger.priority,
        provider=ledger.provider,
        paused=ledger.paused,
        breaker=ledger.breaker,
        pending=ledger.pending,
        scheduled=ledger.scheduled,
        queued=ledger.queued,
        running=ledger.running,
        completed=ledger.completed,
        dead=ledger.dead,
        cancelled=ledger.cancelled,
        oldest_pending_at=ledger.oldest_pending_at,
        redis_waiting=redis.waiting if redis else None,
        redis_active=redis.active if redis else None,
        redis_failed=redis.failed if redis else None,
        drift=view.drift,
        limits=to_limits_report(limits) if limits else LimitsReport(),
    )


def to_limits_report(row: Limits) -> LimitsReport:
    """The limits of one queue."""
    return LimitsReport(
        concurrency=row.concurrency,
        per_tenant_concurrency=row.per_tenant_concurrency,
        rate_count=row.rate_count,
        rate_seconds=row.rate_seconds,
        per_tenant_rate_count=row.per_tenant_rate_count,
        per_tenant_rate_seconds=row.per_tenant_rate_seconds,
        rate_left=row.rate_left,
    )


def sort_queues(queues: Iterable[QueueReport]) -> list[QueueReport]:
    """In the order in which a mail passes through them."""
    places = {name: place for place, name in enumerate(QUEUES)}
    return sorted(queues, key=lambda queue: (places.get(queue.queue, len(places)), queue.queue))


def to_worker_report(row: WorkerRow) -> WorkerReport:
    """One worker process."""
    return WorkerReport(
        id=str(row.id),
        name=row.name,
        host=row.host,
        pid=row.pid,
        queues={queue: int(numbers.get("concurrency", 0)) for queue, numbers in row.queues.items()},
        started_at=row.started_at,
        beat_age_seconds=round((datetime.now(UTC) - row.beat_at).total_seconds(), 2),
        stopping=row.stopping,
    )


def to_provider_report(row: ProviderRow) -> ProviderReport:
    """One breaker."""
    return ProviderReport(row.name, row.state, row.reason, row.retry_at)


def to_schedule_report(row: ScheduleRow) -> ScheduleReport:
    """One schedule."""
    return ScheduleReport(
        name=row.name,
        cron=row.cron,
        time_zone=row.time_zone,
        queue=row.queue,
        kind=row.kind,
        missed=row.missed,
        paused=row.paused,
        served=row.served,
        next_at=row.next_at,
        last_fired_at=row.last_fired_at,
        error=row.last_error,
    )


def to_mailbox_report(row: Mailbox) -> MailboxReport:
    """One mailbox's freshness."""
    return MailboxReport(
        name=row.name,
        source=row.source,
        connected=row.connected,
        messages=row.messages,
        last_push_at=row.last_push_at,
        last_synced_at=row.last_synced_at,
        last_error=row.last_error,
    )


def to_job_report(row: JobRow, last: AttemptRow | None = None) -> JobReport:
    """One row of the ledger, with its last error."""
    return JobReport(
        id=row.id,
        queue=row.queue,
        key=row.key,
        kind=row.kind,
        state=row.state,
        tenant=row.tenant,
        attempt=row.attempt,
        max_attempts=row.max_attempts,
        crashes=row.crashes,
        outages=row.outages,
        dispatch=row.dispatch,
        created_at=row.created_at,
        run_at=row.run_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        error_class=last.error_class if last else None,
        error_message=last.message if last else None,
    )


def to_job_detail(row: JobRow, attempts: Sequence[AttemptRow]) -> JobDetail:
    """One job, whole."""
    return JobDetail(
        job=to_job_report(row, attempts[-1] if attempts else None),
        payload=row.payload,
        attempts=[to_attempt_report(attempt) for attempt in attempts],
        worker=str(row.worker_id) if row.worker_id else None,
        trace_context=row.trace_context,
    )


def to_attempt_report(row: AttemptRow) -> AttemptReport:
    """One failed attempt."""
    return AttemptReport(
        lease=row.lease,
        outcome=row.outcome,
        worker=str(row.worker_id) if row.worker_id else None,
        started_at=row.started_at,
        finished_at=row.finished_at,
        error_class=row.error_class,
        message=row.message,
        stack=row.stack,
    )


def to_dead_report(dead: DeadJob, row: JobRow | None) -> JobReport | None:
    """A dead letter; None if its row has just been pruned or redriven."""
    if row is None:
        return None
    report = to_job_report(row)
    return JobReport(
        **{
            name: getattr(report, name)
            for name in report.__dataclass_fields__
            if name not in ("error_class", "error_message")
        },
        error_class=dead.error.error_class,
        error_message=dead.error.message,
    )
