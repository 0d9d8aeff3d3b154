"""What a session of a race does: one call of the store each, as its caller makes it, answered in a word or two."""

from __future__ import annotations

from datetime import timedelta

from tests.interleavings.explorer import Act, Session
from tests.interleavings.ledger import ANN, BEN, FAILURE, LIMIT, NOW, PROVIDER, ROOM, Before
from tests.support.engine import OPERATOR, WORK, Work
from tournee.engine.core.job import WorkerId
from tournee.engine.ports import Room
from tournee.engine.postgres.enqueue import EnqueueTransaction, open_transaction

NO_HOOK = lambda _kind: None  # noqa: E731  # a hook of no kind


def _count(things: object, done: str) -> str:
    return done if things else "found nothing"


# --- dispatch


def enqueue(*keys: int) -> Act[Before]:
    async def act(session: Session, before: Before) -> str:
        async with open_transaction(session.store.session) as tx:
            answers = await tx.enqueue_many([Work(n=n) for n in keys])
        return " and ".join("created" if answer.created else f"found it {answer.state}" for answer in answers)

    return act


def mark(room: Room = ROOM) -> Act[Before]:
    async def act(session: Session, before: Before) -> str:
        marked = await session.store.mark_queued(WORK, room)
        return f"marked {len(marked.jobs)}"

    return act


async def give_back(session: Session, before: Before) -> str:
    """What relay, reconciler and fetcher do with a dispatch that Redis does not hold."""
    return _count(await session.store.return_queued(before.dispatches), "gave back")


async def sweep(session: Session, before: Before) -> str:
    """Redis was lost: its epoch is read and written between the statements."""

    async def read() -> int | None:
        return before.sentinel

    async def write(epoch: int) -> None:
        before.sentinel = epoch

    moved = await session.store.renew_epoch(WORK, read, write)
    return "found it renewed" if moved is None else f"swept {moved}"


async def half_open(session: Session, before: Before) -> str:
    await session.store.half_open_breaker(PROVIDER)
    return "tried"


async def prune(session: Session, before: Before) -> str:
    _, _, deleted = await session.store.prune_finished(0, 10, timedelta(days=30))
    return f"pruned {deleted}"


# --- workers


def claim(worker: WorkerId = BEN) -> Act[Before]:
    async def act(session: Session, before: Before) -> str:
        return _count(await session.store.claim_jobs(before.dispatches, worker, LIMIT), "claimed")

    return act


def claim_again(worker: WorkerId = BEN) -> Act[Before]:
    """What a fetcher does after a claim whose answer it did not wait for."""

    async def act(session: Session, before: Before) -> str:
        if await session.store.reread_claims(before.dispatches, worker):
            return "read it again"
        if await session.store.claim_jobs(before.dispatches, worker, LIMIT):
            return "claimed"
        return _count(await session.store.reread_claims(before.dispatches, worker), "read it again")

    return act


async def complete(session: Session, before: Before) -> str:
    """Ann's handler writes its effect, and its job is completed."""
    async with session.store.complete_in_transaction([before.claim], lambda: [before.claim]) as tx:
        await tx.connection.execute("INSERT INTO effects (text) VALUES ('done')")
    return "completed"


async def complete_effect_free(session: Session, before: Before) -> str:
    done = await session.store.complete_jobs([before.claim])
    if done:
        await session.connection.execute("INSERT INTO effects (text) VALUES ('done')")
    return _count(done, "completed")


async def fail(session: Session, before: Before) -> str:
    dead = await session.store.fail_job(before.claim, FAILURE, "failed", NOW, None)
    return "buried" if dead else "failed"


async def park(session: Session, before: Before) -> str:
    return _count(await session.store.put_off_jobs([before.claim], LIMIT, outage=FAILURE), "parked")


async def ask(session: Session, before: Before) -> str:
    """The answer to Ann's COMMIT was lost: what became of her lease?"""
    seen = await session.store.read_outcome(before.claim)
    return f"is told {seen[0]}" if seen else "is told of no row"


async def ask_and_release(session: Session, before: Before) -> str:
    """What a settler does after a completion whose answer it did not wait for."""
    answer = await ask(session, before)
    if answer != "is told running":
        return answer
    moved = await session.store.put_off_jobs([before.claim], timedelta(0))
    return "released it" if moved else "released nothing"


async def mark_alone(session: Session, before: Before) -> str:
    return "is alone" if await session.store.mark_alone(before.claim) else "lost its lease"


async def stop_cancelled(session: Session, before: Before) -> str:
    """Ann's handler was asked to stop, and has."""
    return "stopped" if await session.store.cancel_running(before.claim, None) else "had nothing to stop"


# --- maintenance and operators


async def rescue(session: Session, before: Before) -> str:
    """Ann's worker is known to be dead."""
    rescued = await session.store.rescue_jobs([ANN], NO_HOOK)
    if rescued.dead:
        return "buried"
    return _count(rescued.returned, "rescued")


async def cancel(session: Session, before: Before) -> str:
    states = await session.store.cancel_jobs(before.job_ids, OPERATOR, NO_HOOK)
    return f"found it {states[before.job_ids[0]]}" if states else "found nothing"


async def redrive(session: Session, before: Before) -> str:
    return _count(await session.store.redrive_dead(before.job_ids, OPERATOR, NO_HOOK), "redrove")


async def redrive_with_enqueue(session: Session, before: Before) -> str:
    """A hook that enqueues, as the pipeline's does."""

    async def hook(tx: object, _job: object) -> None:
        assert isinstance(tx, EnqueueTransaction)
        await tx.enqueue(Work(n=1))

    return _count(await session.store.redrive_dead(before.job_ids, OPERATOR, lambda _kind: hook), "redrove")


async def discard(session: Session, before: Before) -> str:
    return _count(await session.store.discard_dead(before.job_ids, OPERATOR, NO_HOOK), "discarded")


async def pause(session: Session, before: Before) -> str:
    await session.store.pause_queue(WORK, True, OPERATOR)
    return "paused"


async def note_outage(session: Session, before: Before) -> str:
    return f"found the breaker {await session.store.note_outage(PROVIDER, 'down', timedelta(minutes=1))}"


async def note_success(session: Session, before: Before) -> str:
    return f"found the breaker {await session.store.note_success(PROVIDER)}"
