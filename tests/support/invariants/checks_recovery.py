"""Invariants of what must hold through faults and operators: 7, 9, 11, 12. All read the recorder's history. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta

from tests.support.invariants.evidence import LIVE, TERMINAL, Change, Evidence

ACTIONS = {("dead", "pending"): "redrive", ("dead", "cancelled"): "discard"}
"""The only ways out of a terminal state, and what the audit log calls each."""


def check_terminal_changes_are_audited(evidence: Evidence, at_rest: bool) -> Iterator[str]:
    """7. A terminal state changes only by an operator's action, and that is audited in the same transaction.

    A cancel of a running job is audited when it is asked for, so before the row is `cancelled`.
    """
    audited = {(line.xid, line.action, job_id) for line in evidence.audit for job_id in line.job_ids}
    asked = {job_id for _, action, job_id in audited if action == "cancel"}
    for change in evidence.history or ():
        where = f"job {change.job_id} went from {change.old_state} to {change.new_state or 'deleted'}"
        if change.new_state is None:
            if change.old_state == "dead":
                yield f"{where}: a dead letter stays until an operator decides"
        elif change.old_state in TERMINAL and change.new_state != change.old_state:
            action = ACTIONS.get((change.old_state, change.new_state))
            if action is None:
                yield f"{where}: no operator can do that"
            elif (change.xid, action, change.job_id) not in audited:
                yield f"{where}, and no line of the audit log says who did the {action}"
        elif change.new_state == "cancelled" and change.old_state in LIVE and change.job_id not in asked:
            yield f"{where}, and no line of the audit log says who cancelled it"


def check_crashes_have_their_own_budget(evidence: Evidence, at_rest: bool) -> Iterator[str]:
    """9. A job that kills its worker ends `dead`, and none that ran beside it does.

    Only a crash while alone is charged, and two make it dead. Where nothing but handlers killed processes, each charge
    is for a kill that the handler itself noted.
    """
    told = evidence.told
    for change in evidence.history or ():
        if change.is_redrive or change.new_crashes <= change.old_crashes:
            continue
        where = f"lease {change.old_lease} of job {change.job_id} was charged with a crash"
        if change.new_crashes != change.old_crashes + 1 or change.old_state != "running":
            yield f"{where}: from {change.old_crashes} to {change.new_crashes} while {change.old_state}"
        elif not change.old_alone:
            yield f"{where}, but did not run alone"
        elif not told.outside_faults and (change.job_id, change.old_lease) not in told.kills:
            yield f"{where}, but killed nobody"
        if change.new_attempt != change.old_attempt:
            yield f"{where}, and with an attempt too"
    if at_rest:
        yield from _find_surviving_killers(evidence)


def _find_surviving_killers(evidence: Evidence) -> Iterator[str]:
    kills: defaultdict[int, list[int]] = defaultdict(list)
    for job_id, lease in evidence.told.kills:
        kills[job_id].append(lease)
    for job_id, leases in sorted(kills.items()):
        # Once beside others, twice alone: a third run alone would be one too many.
        job = evidence.ledger.get(job_id)
        excused = evidence.told.outside_faults or any(change.is_redrive for change in evidence.changes.get(job_id, ()))
        if len(leases) > 3 and not excused:
            yield f"job {job_id} was let kill its process {len(leases)} times"
        ended = job is None or job.state in ("dead", "cancelled")
        if job is not None and not ended and job.lease in leases and evidence.is_due(job):
            yield f"{job} killed its process at lease {job.lease} and is not dead"


def check_live_jobs_run_again_after_a_flush(evidence: Evidence, at_rest: bool) -> Iterator[str]:
    """11. After FLUSHALL at any instant every live job runs again within a stated bound, at any backlog.

    Redis held the `queued` rows and nothing else: each of them must have left that dispatch within the bound. At rest
    each queue in Redis bears the ledger's epoch, or a flush was never seen.
    """
    for flush in evidence.told.flushes:
        bound = timedelta(seconds=flush.bound_seconds)
        for job_id, changes in evidence.changes.items():
            before = [change for change in changes if change.at <= flush.at]
            if not before or before[-1].new_state != "queued":
                continue
            after = [change for change in changes if change.at > flush.at]
            until = after[0].at if after else evidence.at
            if until > flush.at + bound:
                waited = (until - flush.at).total_seconds()
                yield f"job {job_id} stood queued for {waited:.1f} s after Redis was emptied"
    for name, queue in evidence.queues.items() if at_rest else ():
        if evidence.broker[name].epoch != queue.epoch:
            yield f"{name} is at epoch {queue.epoch} in the ledger and at {evidence.broker[name].epoch} in Redis"


def check_nothing_starts_before_its_time(evidence: Evidence, at_rest: bool) -> Iterator[str]:
    """12. Nothing starts before `run_at`, by PostgreSQL's clock at the claim."""
    for change in evidence.history or ():
        if change.is_claim and _is_early(change):
            early = (change.run_at - change.at).total_seconds()
            yield f"lease {change.new_lease} of job {change.job_id} began {early:.3f} s before its run_at"


def _is_early(change: Change) -> bool:
    return change.at < change.run_at
