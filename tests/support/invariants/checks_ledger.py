"""Invariants that the ledger answers by itself: 1, 2, 5, 8, 15. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from tests.support.invariants.evidence import LIVE, Change, Evidence, JobEvidence

FAILURES = frozenset({"failed", "timed_out"})

WAYS_OUT = frozenset(
    {
        ("pending", "queued"),
        ("pending", "cancelled"),
        ("queued", "pending"),
        ("queued", "running"),
        ("queued", "cancelled"),
        ("running", "pending"),
        ("running", "completed"),
        ("running", "dead"),
        ("running", "cancelled"),
    }
)
"""How a live row may move; the page on the life of a job says the same."""


def check_ends_terminal_or_is_in_one_live_state(evidence: Evidence, at_rest: bool) -> Iterator[str]:
    """1. Each committed insert ends terminal, or is in exactly one live state.

    The narrow tables say of each row what its state says; no live row moves as the life of a job does not know it, or
    vanishes; at rest nothing that is due still waits. Who may claim is invariant 13's matter.
    """
    places = _find_places(evidence)
    for job in evidence.ledger.values():
        wanted = {"pending": ["ready"], "queued": ["inflight"], "running": ["inflight"], "dead": ["dead"]}
        found = places.pop(job.id, [])
        if found != wanted.get(job.state, []):
            yield f"{job} stands in {found or 'no narrow table'}"
        if at_rest and job.state in LIVE and evidence.is_due(job):
            yield f"{job} is due, and nothing has become of it"
    for job_id, found in places.items():
        yield f"{found} tell of job {job_id}, which is in no row"
    for change in evidence.history or ():
        if fault := _judge_move(change):
            yield f"job {change.job_id} ({change.queue}/{change.key}) {fault}"
    for job_id, changes in evidence.changes.items():
        if job_id not in evidence.ledger and changes[-1].new_state is not None:
            yield f"job {job_id} ({changes[-1].queue}/{changes[-1].key}) is gone, and nobody deleted it"


def _judge_move(change: Change) -> str:
    old, new = change.old_state, change.new_state
    if old is None:
        return "" if new == "pending" else f"began as {new}"
    if old not in LIVE or new in (old, "running") or (old, new) in WAYS_OUT:
        return ""
    return f"went from {old} to {new}" if new else f"was deleted while {old}"


def _find_places(evidence: Evidence) -> dict[int, list[str]]:
    places: defaultdict[int, list[str]] = defaultdict(list)
    for job_id in evidence.ready:
        places[job_id].append("ready")
    for _, job_id in evidence.inflight:
        places[job_id].append("inflight")
    for job_id in evidence.dead:
        places[job_id].append("dead")
    return dict(places)


def check_one_row_per_key(evidence: Evidence, at_rest: bool) -> Iterator[str]:
    """2. One row per (queue, key)."""
    rows: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for job in evidence.ledger.values():
        rows[job.queue, job.key].append(job.id)
    for (queue, key), ids in rows.items():
        if len(ids) > 1:
            yield f"{queue}/{key} is in rows {ids}"


def check_rolled_back_enqueue_never_runs(evidence: Evidence, at_rest: bool) -> Iterator[str]:
    """5. A rolled-back enqueue never runs: no row of it was ever committed, and so no start."""
    gone = evidence.told.rolled_back - evidence.told.acknowledged
    for queue, key in sorted(gone & evidence.keys.keys()):
        yield f"{evidence.ledger[evidence.keys[queue, key]]} was rolled back by its caller"
    deleted = {(c.queue, c.key): c.job_id for c in evidence.history or () if c.new_state is None}
    for place in sorted(gone & deleted.keys()):
        yield f"job {deleted[place]} {place} was rolled back by its caller, and ran until it was pruned"


def check_attempts_count_own_failures(evidence: Evidence, at_rest: bool) -> Iterator[str]:
    """8. `attempt <= max_attempts`, and each rise of it is one recorded failure of the lease that failed.

    So a stale failure, a crash, an outage, a snooze and a shutdown use none.
    """
    failed = {(a.job_id, a.lease) for a in evidence.attempts if a.outcome in FAILURES}
    counted = Counter(job_id for job_id, _ in failed)
    for job in evidence.ledger.values():
        if job.attempt > job.max_attempts:
            yield f"{job} has used {job.attempt} of {job.max_attempts} attempts"
        if job.attempt > counted[job.id]:
            yield f"{job} has used {job.attempt} attempts, but failed {counted[job.id]} times"
    for change in evidence.history or ():
        yield from _judge_attempt(change, failed, evidence.ledger.get(change.job_id))


def _judge_attempt(change: Change, failed: set[tuple[int, int]], job: JobEvidence | None) -> Iterator[str]:
    if change.is_redrive or change.new_state is None or change.old_state is None or job is None:
        # The recorded attempts of a pruned row are gone with it.
        return
    rise = change.new_attempt - change.old_attempt
    place = (change.job_id, change.old_lease)
    if rise not in (0, 1):
        yield f"the attempts of {job} went from {change.old_attempt} to {change.new_attempt}"
    elif rise and place not in failed:
        yield f"lease {change.old_lease} of {job} used an attempt without a failure of its own"
    elif rise and change.old_state != "running":
        yield f"{job} used an attempt while {change.old_state}"


def check_acknowledged_is_in_the_ledger(evidence: Evidence, at_rest: bool) -> Iterator[str]:
    """15. What was acknowledged to a caller is in PostgreSQL, until its finished row is pruned."""
    deleted = {(c.queue, c.key) for c in evidence.history or () if c.new_state is None}
    for queue, key in sorted(evidence.told.acknowledged - evidence.keys.keys() - deleted):
        yield f"{queue}/{key} was acknowledged to its caller and is in no row"
