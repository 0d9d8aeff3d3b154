"""How jobs, queues and the rest are shown to a person, and which JSON a script gets instead.

Owns the columns. JSON documents are objects, so that fields can be added.
"""

from __future__ import annotations

from collections.abc import Sequence

from tournee.cli.errors import CommandFailed
from tournee.cli.output import print_fields, print_json, print_line, print_table, show, tell, to_plain
from tournee.reports import (
    BulkReport,
    JobDetail,
    JobReport,
    LimitsReport,
    MailboxReport,
    QueueReport,
    ScheduleReport,
    StatusReport,
    WorkerReport,
)


def print_jobs(jobs: Sequence[JobReport], *, limit: int, as_json: bool) -> None:
    """A list of jobs: `{"jobs": […]}`, or a table."""
    if as_json:
        print_json({"jobs": jobs})
        return
    if not jobs:
        print_line("no such jobs")
        return
    columns = ["id", "queue", "kind", "key", "state", "attempts", "created", "run at", "last error"]
    rows = [[*describe_job(job), describe_error(job)] for job in jobs]
    told = [place for place in range(len(columns)) if any(row[place] is not None for row in rows)]
    print_table([columns[place] for place in told], ([row[place] for place in told] for row in rows))
    if len(jobs) >= limit:
        tell(f"the first {limit}; --limit shows more")


def describe_job(job: JobReport) -> list[object]:
    """The cells of a job's row but the last."""
    attempts = f"{job.attempt}/{job.max_attempts}" + (f" +{job.crashes} crashes" if job.crashes else "")
    run_at = job.run_at if job.state == "pending" else None
    return [job.id, job.queue, job.kind, job.key, job.state, attempts, job.created_at, run_at]


def describe_error(job: JobReport) -> str | None:
    """The last error in one cell."""
    if job.error_class is None:
        return None
    return f"{job.error_class}: {job.error_message or ''}"[:160]


def print_job(detail: JobDetail | None, *, job_id: int, as_json: bool) -> None:
    """One job: the fields of `JobReport`, then payload, attempts, worker and trace."""
    if detail is None:
        raise CommandFailed(f"the ledger has no job {job_id}")
    plain = to_plain(detail)
    flat = {**plain.pop("job"), **plain}
    if as_json:
        print_json(flat)
        return
    attempts = flat.pop("attempts")
    print_fields(flat)
    for attempt in attempts:
        print_line()
        print_line(f"attempt under lease {attempt['lease']}: {attempt['outcome']}, {attempt['finished_at']}")
        print_line(f"  {show(attempt['error_class'])}: {show(attempt['message'])}")
        for line in str(attempt["stack"]).splitlines():
            print_line(f"  {show(line)}" if line.strip() else "")


def print_bulk(report: BulkReport, *, as_json: bool) -> None:
    """What a bulk action did, or would do."""
    if as_json:
        print_json(report)
        return
    if report.dry_run:
        print_line(f"{report.action}: would change {report.matched}")
    else:
        print_line(f"{report.action}: changed {report.changed} of {report.matched}")


def print_status(status: StatusReport) -> None:
    """The whole system, a table for each part that has something to show."""
    addresses = {address.name: address.url for address in status.addresses}
    print_fields({"home": status.home, "running": status.running, **addresses})
    print_queues(status.queues)
    if status.workers:
        print_workers(status.workers)
    if status.providers:
        providers = ([p.name, p.state, p.reason, p.retry_at] for p in status.providers)
        print_table(["provider", "breaker", "reason", "tries again"], providers, title="providers")
    if status.schedules:
        print_schedules(status.schedules)
    if status.mailboxes:
        print_mailboxes(status.mailboxes)
    cost = status.cost
    print_line()
    print_line(
        f"analyses: {cost.analyses} in all, {cost.analyses_today} today; tokens in {cost.tokens_in}, "
        f"out {cost.tokens_out}; cost {cost.cost_microcents / 1e8:.4f}, today {cost.cost_microcents_today / 1e8:.4f}"
    )


def print_queues(queues: Sequence[QueueReport]) -> None:
    """The ledger's side, then Redis' side with what differs."""
    ledger = ["queue", "pending", "later", "queued", "running", "dead", "completed", "oldest"]
    rows = (
        [q.queue, q.pending, q.scheduled, q.queued, q.running, q.dead, q.completed, q.oldest_pending_at] for q in queues
    )
    print_table(ledger, rows, title="queues, in the ledger")
    redis = ["queue", "waiting", "active", "drift", "breaker", "paused", "priority"]
    sides = ([q.queue, q.redis_waiting, q.redis_active, q.drift, q.breaker, q.paused, q.priority] for q in queues)
    print_table(redis, sides, title="queues, in Redis")
    limited = [[q.queue, *describe_limits(q.limits)] for q in queues if q.limits != LimitsReport()]
    if limited:
        print_table(["queue", "in flight", "of a tenant", "rate", "left", "rate of a tenant"], limited, title="limits")


def describe_limits(limits: LimitsReport) -> list[object]:
    """A queue's limits; a rate is said as so many in so many seconds."""
    left = None if limits.rate_left is None else int(limits.rate_left)
    return [
        limits.concurrency,
        limits.per_tenant_concurrency,
        describe_rate(limits.rate_count, limits.rate_seconds),
        left,
        describe_rate(limits.per_tenant_rate_count, limits.per_tenant_rate_seconds),
    ]


def describe_rate(count: int | None, seconds: float | None) -> str | None:
    """None where there is no such rate."""
    return None if count is None or seconds is None else f"{count} in {seconds:g} s"


def print_schedules(schedules: Sequence[ScheduleReport]) -> None:
    """What recurs, when it comes next, and what keeps it from that."""
    columns = ["schedule", "cron", "time zone", "queue", "missed", "next", "last", "state", "error"]
    rows = (
        [s.name, s.cron, s.time_zone, s.queue, s.missed, s.next_at, s.last_fired_at, describe_schedule(s), s.error]
        for s in schedules
    )
    print_table(columns, rows, title="schedules")


def describe_schedule(schedule: ScheduleReport) -> str:
    """Whether it fires."""
    if schedule.paused:
        return "paused"
    return "fires" if schedule.served else "declared by no live process"


def print_workers(workers: Sequence[WorkerReport]) -> None:
    """Who works, on what, and how long ago each was last heard of."""
    rows = ([w.name, w.host, w.pid, describe_queues(w), w.started_at, w.beat_age_seconds] for w in workers)
    print_table(["worker", "host", "pid", "queues", "started", "last beat, s"], rows, title="workers")


def describe_queues(worker: WorkerReport) -> str:
    """A worker's queues, each with its concurrency."""
    return ", ".join(f"{queue}×{number}" for queue, number in worker.queues.items())


def print_mailboxes(mailboxes: Sequence[MailboxReport]) -> None:
    """How fresh each mailbox is."""
    rows = (
        [m.name, m.source, m.connected, m.messages, m.last_push_at, m.last_synced_at, m.last_error] for m in mailboxes
    )
    columns = ["mailbox", "source", "connected", "messages", "last push", "last sync", "last error"]
    print_table(columns, rows, title="mailboxes")
