"""What the engine tells its observers: when, and that none of them can hurt it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.support.engine import Bench, Work, open_bench
from tournee.engine.client import Observer, QueueName, RunOutcome
from tournee.engine.core.job import ClaimedJob, DeadJob, Failure
from tournee.engine.ports import gather_observers


class Ears(Observer):
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.enqueued: list[tuple[str, int]] = []
        self.outcomes: list[str] = []
        self.dead: list[str] = []

    def note_enqueued(self, counts: Mapping[tuple[QueueName, str], int]) -> None:
        self.enqueued += [(queue, count) for (queue, _), count in counts.items()]

    def note_settled(self, job: ClaimedJob, outcome: RunOutcome, seconds: float, failure: Failure | None) -> None:
        assert seconds >= 0
        self.outcomes.append(f"{job.key} {outcome}{' ' + failure.error_class if failure else ''}")

    def note_dead(self, dead: DeadJob) -> None:
        self.dead.append(dead.key)


class Nuisance(Observer):
    """Fails whatever it is told."""

    def stamp_jobs(self, jobs: Sequence[object]) -> Sequence[object]:  # type: ignore[override]
        raise RuntimeError("no")

    def note_started(self, jobs: Sequence[ClaimedJob]) -> None:
        raise RuntimeError("no")

    def note_settled(self, job: ClaimedJob, outcome: RunOutcome, seconds: float, failure: Failure | None) -> None:
        raise RuntimeError("no")


async def listen(bench: Bench, *observers: Observer) -> None:
    """Let them hear this bench from now on."""
    heard = gather_observers(observers)
    bench.engine._observer = bench.engine.store.session.observer = heard


async def test_enqueues_are_told_after_their_commit_and_never_when_rolled_back(
    database_url: str, redis_url: str
) -> None:
    bench, ears = await open_bench(database_url, redis_url), Ears()
    try:
        await listen(bench, ears)
        try:
            async with bench.engine.transaction() as tx:
                await tx.enqueue(Work(n=1))
                assert ears.enqueued == []
                raise ZeroDivisionError
        except ZeroDivisionError:
            assert ears.enqueued == []
        await bench.enqueue(Work(n=1), Work(n=2))
        await bench.enqueue(Work(n=2), Work(n=3))
        assert ears.enqueued == [("work", 2), ("work", 1)], "a job that was there already is not new"
    finally:
        await close(bench)


async def test_each_run_is_told_with_what_came_of_it_and_a_nuisance_changes_nothing(
    database_url: str, redis_url: str
) -> None:
    bench, ears = await open_bench(database_url, redis_url), Ears()

    async def fail(_job: object) -> None:
        raise ValueError("always")

    try:
        await listen(bench, Nuisance(), ears)
        bench.handlers.script = fail
        await bench.start()
        await bench.enqueue_work(1)
        await bench.run_to_rest()
        bench.handlers.script = None
        await bench.enqueue_work(1, first=7)
        await bench.run_to_rest()
        await bench.stop()
    finally:
        await close(bench)
    assert ears.outcomes == ["0 retried ValueError", "0 retried ValueError", "0 dead ValueError", "7 completed"]
    assert ears.dead == ["0"]


async def close(bench: Bench) -> None:
    from tests.support.engine import close_bench

    await close_bench(bench)
