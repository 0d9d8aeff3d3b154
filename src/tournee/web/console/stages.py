"""The way of one message through the stages, and why it was not delivered: pure rules over a `Trace`.

Owns the answer to the operator's first question. It reads nothing and writes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tournee.pipeline.store.console_job_rows import Attempt, JobDetail
from tournee.pipeline.store.console_rows import Delivery, MessageDetail, NewsletterLine, Trace

STAGE_QUEUES = ("fetchEmails", "processMails", "indexNews", "sendNotifications")


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage with the jobs that did it (none, if it was never reached or its rows were pruned)."""

    queue: str
    status: str
    jobs: Sequence[JobDetail] = ()

    @property
    def attempts(self) -> Sequence[Attempt]:
        return [attempt for job in self.jobs for attempt in job.attempts]


@dataclass(frozen=True, slots=True)
class Verdict:
    """One sentence: the key of its text with the values in it, its tone, and the job to look at."""

    key: str
    tone: str
    values: Mapping[str, object] = field(default_factory=dict)
    detail: str = ""
    job_id: int | None = None


def waited(job: JobDetail) -> timedelta | None:
    """From enqueued to started (the last run); None before that."""
    return job.started_at - job.created_at if job.started_at else None


def ran(job: JobDetail) -> timedelta | None:
    """The length of the last run; None while there is none or it is under way."""
    if job.started_at is None or job.finished_at is None or job.finished_at < job.started_at:
        return None
    return job.finished_at - job.started_at


def list_stages(trace: Trace) -> list[Stage]:
    """The four stages in order. A stage's status is that of its worst job."""
    stages = []
    for queue in STAGE_QUEUES:
        jobs = [job for job in trace.jobs if job.queue == queue]
        status = _worst([job.state for job in jobs]) if jobs else _assume_status(queue, trace)
        stages.append(Stage(queue, status, jobs))
    return stages


def _worst(states: Collection[str]) -> str:
    order = ("dead", "cancelled", "running", "queued", "pending", "completed")
    return next(state for state in order if state in states)


def _assume_status(queue: str, trace: Trace) -> str:
    """What can be said of a stage whose job isn't there: `done` and pruned, `none` not reached, `skipped`."""
    message = trace.message
    if queue == "fetchEmails":
        return "done"
    if message.message_class != "newsletter":
        return "skipped"
    if queue == "processMails":
        return "done" if message.analysed_at else "none"
    if queue == "indexNews":
        return "done" if message.indexed_at else "none"
    if message.indexed_at and not trace.deliveries:
        # Alerts are planned in the commit that indexes: none is to come.
        return "skipped"
    return "done" if any(row.state == "sent" for row in trace.deliveries) else "none"


def judge(trace: Trace, blocked: Mapping[str, str]) -> Verdict:
    """Was it delivered, and if not, why not? `blocked` maps a queue that is held up to the reason's key."""
    message = trace.message
    if message.message_class != "newsletter":
        return _judge_other(message)
    for stage in list_stages(trace)[1:]:
        verdict = _judge_jobs(stage, blocked)
        if verdict is not None:
            return verdict
    if message.state == "invalid":
        return Verdict("verdict.invalid", "bad", detail=message.invalid_reason or "")
    return _judge_deliveries(message, trace.deliveries)


def _judge_other(message: MessageDetail) -> Verdict:
    tone = "bad" if message.message_class == "unparsable" else "mute"
    return Verdict(f"verdict.{message.message_class}", tone, detail="; ".join(message.parse_notes))


def _judge_jobs(stage: Stage, blocked: Mapping[str, str]) -> Verdict | None:
    for job in stage.jobs:
        error = job.attempts[-1] if job.attempts else None
        detail = f"{error.error_class}: {error.message}" if error else ""
        values = {"queue": job.queue, "failed": job.attempt, "allowed": job.max_attempts}
        if job.state == "dead":
            key = "verdict.crashed" if error is not None and error.outcome == "crashed" else "verdict.dead"
            return Verdict(key, "bad", values, detail, job.id)
        if job.state == "cancelled":
            return Verdict("verdict.cancelled", "warn", values, "", job.id)
        if job.state in ("pending", "queued", "running"):
            return _judge_live(job, values, detail, blocked.get(job.queue))
    return None


def _judge_live(job: JobDetail, values: Mapping[str, object], detail: str, block: str | None) -> Verdict:
    if block is not None and job.state != "running":
        return Verdict(block, "warn", values, detail, job.id)
    if job.attempt and job.state == "pending":
        return Verdict("verdict.retrying", "warn", values, detail, job.id)
    if job.outages and job.state == "pending":
        return Verdict("verdict.parked", "warn", values, detail, job.id)
    return Verdict(f"verdict.{job.state}", "live", values, detail, job.id)


def _judge_deliveries(message: MessageDetail, deliveries: Sequence[Delivery]) -> Verdict:
    failed = next((row for row in deliveries if row.state == "failed"), None)
    if failed is not None:
        return Verdict("verdict.failed", "bad", {"target": failed.target}, failed.error or "")
    sent = [row for row in deliveries if row.state == "sent"]
    if sent and len(sent) == len(deliveries):
        return Verdict("verdict.delivered", "good", {"n": len(sent)})
    if deliveries:
        return Verdict("verdict.planned", "live", {"n": len(deliveries) - len(sent)})
    if message.indexed_at is None:
        return Verdict("verdict.under_way", "live")
    return Verdict("verdict.silent" if message.notifies is False else "verdict.no_rule", "mute")


def list_steps(line: NewsletterLine) -> list[tuple[str, str, timedelta | None]]:
    """For a list: (stage, status, time since the stage before) from received to delivered."""
    steps: list[tuple[str, str, timedelta | None]] = [("received", "done", None)]
    before: datetime | None = line.stored_at
    delivered = line.delivered_at if line.deliveries_planned == line.deliveries_sent else None
    for name, at in (("analysed", line.analysed_at), ("indexed", line.indexed_at), ("delivered", delivered)):
        spent = at - before if at is not None and before is not None else None
        steps.append((name, "done" if at is not None else "none", spent))
        before = at
    if line.state == "invalid":
        steps[1] = ("analysed", "bad", None)
    if line.deliveries_failed:
        steps[3] = ("delivered", "bad", None)
    return steps
