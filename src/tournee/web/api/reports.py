"""From a snapshot to the status report. Pure."""

from __future__ import annotations

from dataclasses import asdict

from tournee.web.api import models
from tournee.web.api.limit_models import LimitsReport, ScheduleReport
from tournee.web.snapshot import QueueLine, Snapshot, is_alive


def report_status(snapshot: Snapshot) -> models.StatusReport:
    """Everything at a glance."""
    return models.StatusReport(
        at=snapshot.at,
        database="up" if snapshot.database_away_since is None else "down",
        redis="up" if snapshot.redis_away_since is None else "down",
        queues=[report_queue(line, redis_up=snapshot.redis_away_since is None) for line in snapshot.queues],
        dead_letters=snapshot.dead_total,
        dead_letters_projected=snapshot.dead_projected,
        workers=[
            models.WorkerReport.model_validate(worker).model_copy(update={"alive": is_alive(worker)})
            for worker in snapshot.workers
        ],
        providers=[models.ProviderReport.model_validate(row) for row in snapshot.providers],
        mailboxes=[models.MailboxReport.model_validate(row) for row in snapshot.mailboxes],
        schedules=[ScheduleReport.model_validate(row) for row in snapshot.schedules],
        totals=models.TotalsReport.model_validate(snapshot.totals) if snapshot.totals else None,
    )


def report_queue(line: QueueLine, *, redis_up: bool) -> models.QueueReport:
    """One queue; without Redis' figures while it is away."""
    depth = models.RedisDepth.model_validate(line.redis) if line.redis is not None and redis_up else None
    return models.QueueReport(
        **asdict(line.ledger),
        redis=depth,
        drift=line.drift if redis_up else None,
        finished_per_second=round(line.finished_per_second, 2),
        limits=LimitsReport.model_validate(line.limits) if line.limits else None,
    )
