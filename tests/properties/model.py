"""What may become of a job: the state machine as a pure function of one row and one step.

Owns the words of the steps. `judge` says of each row which rows it may have become; where answers were lost or a fault
struck, that is a small set, else exactly one. Nothing here talks to a store.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias
from uuid import UUID

CRASHES_ALLOWED = 2


@dataclass(frozen=True, slots=True)
class View:
    """A ledger row, as far as the model speaks of it. `due` and what follows it are read, not predicted."""

    id: int
    queue: str
    key: str
    state: str
    attempt: int
    max_attempts: int
    crashes: int
    outages: int
    snoozes: int
    dispatch: int
    lease: int
    suspect: bool
    cancel_requested: bool
    worker: UUID | None
    due: bool = field(compare=False)
    alone: bool = field(compare=False)
    overdue: bool = field(compare=False)
    """Past the deadline of its run."""

    @property
    def entry(self) -> tuple[int, int]:
        return self.id, self.dispatch

    @property
    def claim(self) -> tuple[int, int]:
        return self.id, self.lease

    def __str__(self) -> str:
        return (
            f"job {self.id} ({self.queue}/{self.key}) {self.state} attempt {self.attempt} crashes {self.crashes}"
            f" outages {self.outages} snoozes {self.snoozes} dispatch {self.dispatch} lease {self.lease}"
            f" suspect {self.suspect} asked {self.cancel_requested} worker {str(self.worker)[-4:]}"
        )


# --- one transition each


def mark(view: View) -> View:
    return replace(view, state="queued", dispatch=view.dispatch + 1)


def unmark(view: View) -> View:
    return replace(view, state="pending")


def claim(view: View, worker: UUID) -> View:
    return replace(view, state="running", lease=view.lease + 1, worker=worker)


def complete(view: View) -> View:
    return replace(view, state="completed", suspect=False)


def fail(view: View) -> View:
    state = "pending" if view.attempt + 1 < view.max_attempts else "dead"
    return replace(view, state=state, attempt=view.attempt + 1, suspect=False)


def park(view: View) -> View:
    return replace(view, state="pending", outages=view.outages + 1, suspect=False)


def snooze(view: View) -> View:
    return replace(view, state="pending", snoozes=view.snoozes + 1, suspect=False)


def release(view: View) -> View:
    return replace(view, state="pending")


def rescue(view: View, *, crashed: bool) -> View:
    charged = crashed and view.alone
    if charged and view.crashes + 1 >= CRASHES_ALLOWED:
        return replace(view, state="dead", crashes=view.crashes + 1, suspect=False)
    return replace(view, state="pending", crashes=view.crashes + charged, suspect=view.suspect or crashed)


def cancel(view: View) -> View:
    state = view.state if view.state == "running" else "cancelled"
    return replace(view, state=state, cancel_requested=True)


def stop(view: View) -> View:
    return replace(view, state="cancelled")


def redrive(view: View) -> View:
    return replace(view, state="pending", attempt=0, crashes=0, cancel_requested=False)


def discard(view: View) -> View:
    return replace(view, state="cancelled")


# --- one step of an actor each: of a row before, the rows that it may be afterwards

Step: TypeAlias = Callable[[View], set[View]]

VERDICTS: Mapping[str, Callable[[View], View]] = {
    "complete": complete,
    "complete after a step": complete,
    "fail": fail,
    "fail in the transaction": fail,
    "snooze": snooze,
    "park": park,
}


def stand_still(view: View) -> set[View]:
    """Nothing in the ledger may change."""
    return {view}


def enqueue(view: View) -> set[View]:
    """A row that was there stays as it is; `judge` looks at new ones."""
    return {view}


@dataclass(frozen=True, slots=True)
class Gate:
    """A queue and Redis as they stood before a step."""

    queue: str
    paused: bool
    breaker: str
    breaker_due: bool
    rationed: bool
    """The breaker was open not long ago: only so many may be in flight."""
    redis_lost: bool
    """The epochs differ."""


def fill(gate: Gate, faulted: bool) -> Step:
    """One run of a relay."""
    closed = gate.paused or (gate.breaker == "open" and not gate.breaker_due)

    def step(view: View) -> set[View]:
        if view.state not in ("pending", "queued"):
            return {view}
        if view.queue != gate.queue:
            # A breaker that half-opens takes back what was dispatched on all queues of its provider.
            return {view, unmark(view)} if gate.breaker == "open" and view.state == "queued" else {view}
        swept = unmark(view)
        if faulted:
            return {view, swept, mark(swept), unmark(mark(swept))}
        start = swept if gate.redis_lost else view
        if closed:
            return {start}
        if gate.rationed or gate.breaker != "closed":
            return {start, swept, mark(swept)}
        return {mark(start)} if start.state == "pending" and view.due else {start}

    return step


@dataclass(frozen=True, slots=True)
class Fetch:
    """One exchange of a worker: what Redis handed to it, and what it held besides."""

    worker: UUID
    entries: frozenset[tuple[int, int]]
    shut: frozenset[str]
    """Queues that are paused, or whose breaker is open."""
    faulted: bool


def fetch(what: Fetch) -> Step:
    """Claims exactly what was handed out, or gives it back."""

    def step(view: View) -> set[View]:
        if view.state != "queued" or view.entry not in what.entries:
            return ripple(view, what.worker, what.faulted)
        if view.queue in what.shut or not view.due:
            return {unmark(view), view} if what.faulted else {unmark(view)}
        claimed = claim(view, what.worker)
        allowed = ripple(claimed, what.worker, what.faulted)
        return allowed | {view, unmark(view)} if what.faulted else allowed

    return step


def ripple(view: View, worker: UUID, faulted: bool) -> set[View]:
    """What any turn of a worker's loop may bring to a row that it runs: one whose end was asked for is stopped, and one
    that could not be started is released.
    """
    allowed = {view}
    if view.state == "running" and view.worker == worker:
        if view.cancel_requested:
            allowed.add(stop(view))
        if faulted:
            allowed.add(release(view))
    return allowed


def settle(job: tuple[int, int], verdict: str, worker: UUID, faulted: bool) -> Step:
    """A handler ends under its lease. A lease that is not the row's any more changes nothing."""

    def step(view: View) -> set[View]:
        if view.claim != job or view.state != "running":
            return ripple(view, worker, faulted)
        done = VERDICTS[verdict](view)
        return {done, release(view), view} if faulted else {done}

    return step


def beat(worker: UUID, held: frozenset[tuple[int, int]], faulted: bool) -> Step:
    """A heartbeat: stops what was asked to stop, and gives back what the process does not hold."""

    def step(view: View) -> set[View]:
        allowed = ripple(view, worker, faulted)
        if view.state == "running" and view.worker == worker and view.claim not in held:
            allowed.add(release(view))
        return allowed

    return step


def shut_down(worker: UUID, held: frozenset[tuple[int, int]], faulted: bool) -> Step:
    """What the process holds is released, and its leases write nothing afterwards."""

    def step(view: View) -> set[View]:
        if view.state != "running" or view.claim not in held:
            return {view}
        allowed = {release(view)}
        if view.cancel_requested:
            allowed.add(stop(view))
        return allowed | {view} if faulted else allowed

    return step


def rescue_all(certain: frozenset[UUID], possible: frozenset[UUID], faulted: bool) -> Step:
    """`certain`: workers that were reported dead, or have no row. `possible`: those whose beat is a lease old."""

    def step(view: View) -> set[View]:
        if view.state != "running" or view.worker is None:
            return {view}
        crashed = rescue(view, crashed=True)
        if view.worker in certain:
            return {crashed, view} if faulted else {crashed}
        allowed = {rescue(view, crashed=False)} if view.overdue else {view}
        if view.worker in possible:
            allowed.add(crashed)
        return allowed | {view} if faulted else allowed

    return step


def compare(gate: Gate, present: frozenset[tuple[int, int]], faulted: bool) -> Step:
    """The comparison: what Redis lost goes back, and nothing else does."""

    def step(view: View) -> set[View]:
        if view.state != "queued" or view.queue != gate.queue:
            return {view}
        lost = gate.redis_lost or view.entry not in present
        if faulted:
            return {view, unmark(view)} if lost else {view}
        return {unmark(view)} if lost else {view}

    return step


def operate(action: Callable[[View], View], states: frozenset[str], ids: frozenset[int], faulted: bool) -> Step:
    """An operator's action on the rows that are in one of `states`."""

    def step(view: View) -> set[View]:
        if view.id not in ids or view.state not in states:
            return {view}
        return {view, action(view)} if faulted else {action(view)}

    return step


# --- the verdict


def judge(
    before: Mapping[int, View], after: Mapping[int, View], step: Step, new: frozenset[tuple[str, str]]
) -> list[str]:
    """Every row that is not what it may be. `new`: the (queue, key) of rows that may have been inserted."""
    wrong = [f"{view} is gone" for job_id, view in before.items() if job_id not in after]
    for job_id, now in after.items():
        was = before.get(job_id)
        if was is None:
            fresh = now.state == "pending" and not (now.attempt or now.lease or now.dispatch or now.crashes)
            if (now.queue, now.key) not in new or not fresh:
                wrong.append(f"{now} came from nowhere")
            continue
        # Who ran a row last is not read once it does not run.
        allowed = {view if view.state == "running" else replace(view, worker=None) for view in step(was)}
        if now not in allowed:
            wanted = " or ".join(sorted(str(view) for view in allowed))
            wrong.append(f"{now}, which was {was}, should be {wanted}")
    return wrong
