"""Invariants of what handlers leave behind: 3, 4, 6, 13. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime

from tests.support.invariants.evidence import Change, Evidence


def check_effects_iff_completed(evidence: Evidence, at_rest: bool) -> Iterator[str]:
    """3. Effects are committed if and only if the job is `completed`, at most once per id.

    A row that is not there was pruned, so it was completed; the recorder knows better where it ran.
    """
    written = Counter(effect.job_id for effect in evidence.effects)
    for job_id, count in written.items():
        state = evidence.last_states.get(job_id, "in no row" if evidence.history is not None else "completed")
        if state != "completed":
            yield f"job {job_id} is {state}, but left {count} effects"
        elif count > 1:
            yield f"job {job_id} left {count} effects"
    for job in evidence.ledger.values():
        if job.state == "completed" and job.queue not in evidence.effect_free and not written[job.id]:
            yield f"{job} left no effect"


def check_follow_ups_iff_parent_completed(evidence: Evidence, at_rest: bool) -> Iterator[str]:
    """4. Follow-up jobs exist if and only if their parent completed, exactly once.

    By the payloads: a parent says in `follow_ups` how many it will enqueue; a follow-up says in `parent` whose it is.
    The key of a follow-up should hold the parent's lease, or its uniqueness would hide a second one.
    """
    children = Counter(
        job.payload["parent"] for job in evidence.ledger.values() if isinstance(job.payload.get("parent"), int)
    )
    for parent_id, count in children.items():
        state = evidence.last_states.get(parent_id, "in no row")
        if state != "completed":
            yield f"job {parent_id} is {state}, but has {count} follow-up jobs"
    for job in evidence.ledger.values():
        wanted = job.payload.get("follow_ups", 0)
        if job.state == "completed" and isinstance(wanted, int) and children[job.id] != wanted:
            yield f"{job} promised {wanted} follow-up jobs and has {children[job.id]}"


def check_only_the_newest_lease_writes(evidence: Evidence, at_rest: bool) -> Iterator[str]:
    """6. `lease` only grows, by one with each claim; a write by an older lease changes nothing."""
    claims: defaultdict[int, dict[int, datetime]] = defaultdict(dict)
    for change in evidence.history or ():
        fault = _judge_lease(change)
        if fault:
            yield f"job {change.job_id} went from lease {change.old_lease} to {change.new_lease}: {fault}"
        if change.is_claim:
            claims[change.job_id][change.new_lease] = change.at
    for effect in evidence.effects:
        newer = [lease for lease, at in claims[effect.job_id].items() if lease > effect.lease and at < effect.at]
        if newer:
            yield f"lease {effect.lease} of job {effect.job_id} wrote an effect after lease {min(newer)} had begun"
        job = evidence.ledger.get(effect.job_id)
        if job is not None and effect.lease > job.lease:
            yield f"{job} is at lease {job.lease}, but lease {effect.lease} wrote an effect"


def _judge_lease(change: Change) -> str:
    if change.new_state is None or change.old_state is None:
        return ""
    if change.new_lease < change.old_lease:
        return "it fell"
    if change.is_claim and change.new_lease != change.old_lease + 1:
        return "a claim raises it by one"
    if not change.is_claim and change.new_lease != change.old_lease:
        return "only a claim raises it"
    return ""


def check_no_row_no_execution(evidence: Evidence, at_rest: bool) -> Iterator[str]:
    """13. No ledger row, no execution: each start was claimed in the ledger, under its own lease, from `queued`."""
    claimed = {(c.job_id, c.new_lease): c.old_state for c in evidence.history or () if c.is_claim}
    for start in evidence.told.starts:
        job = evidence.ledger.get(start.job_id)
        if evidence.history is None:
            if job is None or job.lease < start.lease:
                yield f"lease {start.lease} of job {start.job_id} started, and the ledger knows of none"
        elif (start.job_id, start.lease) not in claimed:
            yield f"lease {start.lease} of job {start.job_id} started, and was never claimed"
    for (job_id, lease), state in claimed.items():
        if state != "queued":
            yield f"lease {lease} of job {job_id} was claimed while {state}"
