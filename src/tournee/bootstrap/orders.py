"""From an operator's words to the engine's: filters, orders, and what became of them. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from tournee.engine.client import DeadQuery, JobQuery, JobState, Operator, QueueName
from tournee.pipeline.importing import ImportOutcome, ImportProgress, Phase
from tournee.reports import BulkOrder, BulkReport, ImportSummary, JobFilter, JobReport, Progress

NAMED_JOBS = 1_000


def to_progress(look: ImportProgress) -> Progress:
    """How far an import is: while it is staged, how many files were seen."""
    if look.phase is Phase.STAGING:
        return Progress(look.phase.value, look.seen)
    return Progress(look.phase.value, look.done, look.total)


def to_query(which: JobFilter) -> JobQuery:
    """Which jobs, as far as the ledger can tell; see `matches` for the rest."""
    return JobQuery(
        queue=QueueName(which.queue) if which.queue else None,
        states=[JobState(state) for state in which.states] or None,
        kind=which.kind,
        key=which.key,
        tenant=which.tenant,
        created_after=which.after,
        created_before=which.before,
        ids=list(which.ids) or None,
        limit=which.limit,
    )


def to_dead_query(which: JobFilter, limit: int) -> DeadQuery:
    """Which dead letters; the filter's times bound the death."""
    return DeadQuery(
        queue=QueueName(which.queue) if which.queue else None,
        kind=which.kind,
        key=which.key,
        tenant=which.tenant,
        error=which.error,
        died_after=which.after,
        died_before=which.before,
        ids=list(which.ids) or None,
        limit=limit,
    )


def to_operator(order: BulkOrder, which: JobFilter) -> Operator:
    """Who acts, why, and what was asked for: what the audit log keeps."""
    chosen = {
        name: str(value)
        for name in ("ids", "queue", "states", "kind", "key", "tenant", "error", "before", "after")
        if (value := getattr(which, name))
    }
    return Operator(order.actor, order.reason, chosen)


def report_bulk(action: str, matched: Sequence[int], changed: Sequence[int], *, dry_run: bool) -> BulkReport:
    """What a bulk action did, or would do."""
    return BulkReport(action, len(matched), len(changed), dry_run, list(matched if dry_run else changed)[:NAMED_JOBS])


def needs_look(which: JobFilter) -> bool:
    """Whether the ledger's answer must be looked through: it knows parts of keys, and nothing of errors."""
    return which.error is not None or which.key is not None


def matches(which: JobFilter, report: JobReport) -> bool:
    """Whether the job has exactly the key, and its last error the text."""
    if which.key is not None and which.key != report.key:
        return False
    told = f"{report.error_class or ''} {report.error_message or ''}"
    return which.error is None or which.error.lower() in told.lower()


def to_summary(outcome: ImportOutcome) -> ImportSummary:
    """The figures of an import."""
    return ImportSummary(**outcome.summary.as_object())  # type: ignore[arg-type]
