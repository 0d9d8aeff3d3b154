"""Two releases on one ledger: what the old one enqueued runs in the new one, and what the new one did waits for it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.engine.conftest import OpenBench
from tests.support.engine import OPERATOR, QUICK, Bench
from tournee.engine.client import Batch, DeadJob, Job, JobState, Payload, Transaction


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


def serve_with_hooks(bench: Bench, payload_type: type[Payload], seen: list[tuple[str, int, Any]]) -> None:
    """A handler that always fails, and hooks that write down what they get."""

    async def refuse(job: Job[Payload]) -> None:
        raise ValueError(job.key)

    def note(name: str) -> Any:
        async def hook(_tx: Transaction, job: DeadJob) -> None:
            seen.append((name, job.version, job.payload))

        return hook

    hooks: Any = {name: note(name) for name in ("on_dead", "on_redrive", "on_cancelled")}
    bench.engine.registry.add(payload_type, refuse, retry=QUICK, **hooks)


async def test_hooks_get_what_an_older_release_enqueued_as_the_present_one_has_it(bench: Bench) -> None:
    seen: list[tuple[str, int, Any]] = []
    serve_with_hooks(bench, NewGreeting, seen)
    [created] = await bench.enqueue(OldGreeting(name="Ann Lee"))
    await bench.start(queues=("work",))
    await bench.wait_for_state("dead", seconds=20)
    await bench.stop()
    await bench.engine.redrive([created.job_id], OPERATOR)
    await bench.engine.cancel([created.job_id], OPERATOR)

    upgraded = {"first": "Ann", "last": "Lee"}
    assert seen == [("on_dead", 2, upgraded), ("on_redrive", 2, upgraded), ("on_cancelled", 2, upgraded)]
    [row] = await bench.engine.find_jobs([("work", "Ann Lee")])
    assert (row.version, row.payload) == (1, {"name": "Ann Lee"}), "the row stays as it was enqueued"


async def test_hooks_of_a_crash_and_of_a_discard_get_the_present_payload_too(bench: Bench) -> None:
    seen: list[tuple[str, int, Any]] = []
    serve_with_hooks(bench, NewGreeting, seen)
    [created] = await bench.enqueue(OldGreeting(name="Ann Lee"))
    await bench.pool.execute(
        "WITH gone AS (DELETE FROM engine.ready RETURNING queue, job_id),"
        " flying AS (INSERT INTO engine.inflight (queue, job_id) SELECT queue, job_id FROM gone)"
        " UPDATE engine.jobs SET state = 'running', lease = 1, alone = true, crashes = 1, worker_id = gen_random_uuid()"
    )
    await bench.engine.store.rescue_jobs([], bench.engine.registry.find_death_hook)
    await bench.engine.discard([created.job_id], OPERATOR)

    upgraded = {"first": "Ann", "last": "Lee"}
    assert seen == [("on_dead", 2, upgraded), ("on_cancelled", 2, upgraded)]


@pytest.mark.parametrize("payload_type", [StuckGreeting, NewGreeting], ids=["no way from there", "a way that fails"])
async def test_a_payload_that_can_not_be_upgraded_reaches_the_hooks_as_it_was_enqueued(
    bench: Bench, payload_type: type[Payload]
) -> None:
    seen: list[tuple[str, int, Any]] = []
    serve_with_hooks(bench, payload_type, seen)
    await bench.enqueue(OldGreeting(name="Ann Lee"))
    await bench.pool.execute("""UPDATE engine.jobs SET payload = '{"title": "Dr"}'""")
    await bench.start(queues=("work",))
    await bench.wait_for_state("dead", seconds=20)

    assert seen == [("on_dead", 1, {"title": "Dr"})]
