"""Invariants that hold between the ledger and Redis: 10, 14. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from tests.support.invariants.evidence import Evidence

SHOWN = 2_000
"""How many of the latest dead letters Redis shows at most."""


def check_dead_letters_are_kept_and_shown(evidence: Evidence, at_rest: bool) -> Iterator[str]:
    """10. Each `dead` row has its error and, within a bound, its entry in `deadLetters`; after redrive that entry is
    gone; redrive keeps the id.
    """
    explained = {(a.job_id, a.lease) for a in evidence.attempts if a.error_class}
    for job in evidence.ledger.values():
        if job.state == "dead" and (job.id, job.lease) not in explained:
            yield f"{job} has no error"
    yield from _find_lost_redrives(evidence)
    if at_rest:
        shown = [evidence.ledger[job_id] for job_id in evidence.dead[:SHOWN] if job_id in evidence.ledger]
        wanted = {f"d{job.id}-{job.dispatch}" for job in shown}
        for entry in sorted(wanted - evidence.dead_letters):
            yield f"{entry} is not shown in deadLetters"
        for entry in sorted(evidence.dead_letters - wanted):
            yield f"{entry} is shown in deadLetters and is no dead row"


def _find_lost_redrives(evidence: Evidence) -> Iterator[str]:
    if evidence.history is None:
        return
    redriven = {(change.xid, change.job_id) for change in evidence.history if change.is_redrive}
    for line in evidence.audit:
        for job_id in line.job_ids if line.action == "redrive" and line.xid else ():
            if (line.xid, job_id) not in redriven:
                yield f"the redrive of job {job_id} did not bring that row back"


def check_both_sides_agree_at_rest(evidence: Evidence, at_rest: bool) -> Iterator[str]:
    """14. At rest: the ids in wait and active of each work queue are exactly the (id, dispatch) of its `queued` and
    `running` rows.
    """
    if not at_rest:
        return
    for name, held in evidence.broker.items():
        rows = {
            job.entry: job.state
            for job in evidence.ledger.values()
            if job.queue == name and job.state in ("queued", "running")
        }
        entries = held.waiting | held.active
        for entry in sorted(rows.keys() - entries):
            yield f"{entry} is {name}'s in the ledger, and not in Redis"
        for entry in sorted(entries - rows.keys()):
            yield f"{entry} is {name}'s in Redis, and no row accounts for it"
        for entry in sorted(held.active - held.locked):
            if rows.get(entry) == "queued":
                yield f"{entry} was fetched from {name}, and whoever did so is gone"
