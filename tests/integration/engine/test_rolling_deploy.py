"""Two releases on one ledger: what the old one enqueued runs in the new one, and what the new one did waits for it."""

from __future__ import annotations

from typing import Any

from tests.integration.engine.conftest import OpenBench
from tests.support.engine import QUICK, Bench
from tournee.engine.client import Batch, Job, JobState, Payload


class OldGreeting(Payload, queue="work", kind="greet"):
    """The release that is being replaced."""

    name: str

    def key(self) -> str:
        return self.name


class NewGreeting(Payload, queue="work", kind="greet", version=2):
    """The release that replaces it."""

    first: str
    last: str

    def key(self) -> str:
        return f"{self.first} {self.last}"

    @classmethod
    def upgrade(cls, data: dict[str, Any], version: int) -> dict[str, Any]:
        first, _, last = data["name"].partition(" ")
        return {"first": first, "last": last}


class StuckGreeting(Payload, queue="work", kind="greet", version=2):
    """A release that forgot where it came from."""

    first: str

    def key(self) -> str:
        return self.first


def serve(bench: Bench, payload_type: type[Payload], seen: list[str], batch: int = 1) -> None:
    async def greet(job: Job[Payload]) -> None:
        async with job.transaction():
            seen.append(str(job.payload))

    async def greet_all(jobs: Batch[Payload]) -> None:
        async with jobs.transaction():
            seen.extend(str(job.payload) for job in jobs.jobs)

    handler: Any = greet if batch == 1 else greet_all
    bench.engine.registry.add(payload_type, handler, retry=QUICK, batch=batch)


async def test_each_release_runs_what_it_can_and_no_job_fails(open_benches: OpenBench) -> None:
    old, new = await open_benches(), await open_benches()
    by_old: list[str] = []
    by_new: list[str] = []
    serve(old, OldGreeting, by_old)
    serve(new, NewGreeting, by_new)
    await old.start(queues=("work",))
    await new.enqueue(NewGreeting(first="Ann", last="Lee"))

    async def parked() -> bool:
        return bool(await old.pool.fetchval("SELECT outages FROM engine.jobs") == 1)

    # The old release is handed a job of the new one, and leaves it to the one that knows it.
    await old.wait_until(parked)
    assert by_old == []
    await old.stop()
    await old.enqueue(OldGreeting(name="Ben Ray"), OldGreeting(name="Cem Koc"))
    await old.pool.execute("UPDATE engine.jobs SET run_at = now(); UPDATE engine.ready SET run_at = now()")
    await new.start(queues=("work",))
    await new.run_to_rest()

    assert sorted(by_new) == ["first='Ann' last='Lee'", "first='Ben' last='Ray'", "first='Cem' last='Koc'"]
    rows = await new.pool.fetch("SELECT attempt, state::text FROM engine.jobs")
    assert {tuple(row) for row in rows} == {(0, "completed")}


async def test_a_version_without_a_way_from_the_last_fails_and_says_so(bench: Bench) -> None:
    serve(bench, StuckGreeting, [])
    await bench.enqueue(OldGreeting(name="Ann"))
    await bench.start(queues=("work",))
    await bench.wait_for_state("dead")

    [row] = await bench.engine.find_jobs([("work", "Ann")])
    attempts = await bench.engine.list_attempts([row.id])
    assert [attempt.error_class for attempt in attempts] == ["PayloadOutdated"] * 3
    assert "define StuckGreeting.upgrade(data, version)" in attempts[0].message


async def test_in_a_batch_only_the_job_that_can_not_be_upgraded_fails(bench: Bench) -> None:
    seen: list[str] = []
    serve(bench, NewGreeting, seen, batch=10)
    await bench.enqueue(OldGreeting(name="Ann Lee"), OldGreeting(name="Ben Ray"), OldGreeting(name="nobody"))
    await bench.pool.execute("""UPDATE engine.jobs SET payload = '{"title": "Dr"}' WHERE key = 'nobody'""")
    await bench.start(queues=("work",))
    await bench.wait_for_state("dead")
    await bench.run_to_rest()

    assert sorted(seen) == ["first='Ann' last='Lee'", "first='Ben' last='Ray'"]
    [stuck] = await bench.engine.find_jobs([("work", "nobody")])
    assert (stuck.state, stuck.attempt) == (JobState.DEAD, 3)
    [attempt, *_] = await bench.engine.list_attempts([stuck.id])
    assert (attempt.error_class, attempt.outcome) == ("KeyError", "failed")
