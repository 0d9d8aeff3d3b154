"""Dead letters: a bounded picture in Redis, redriven and discarded in the ledger only, and audited."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from tests.support.engine import OPERATOR, Bench, Work, write_effect
from tournee.engine.client import DeadQuery, Job, JobState
from tournee.engine.core.job import DeadJob
from tournee.engine.maintenance import dead_letters
from tournee.engine.maintenance.pruner import Pruner


async def make_dead(bench: Bench, count: int) -> list[DeadJob]:
    async def script(_job: Job[Work]) -> None:
        raise ValueError("no good")

    bench.handlers.script = script
    await bench.start()
    await bench.enqueue_work(count)
    await bench.wait_for_state("dead", count)
    return list(await bench.engine.list_dead(DeadQuery()))


async def list_letters(bench: Bench) -> set[str]:
    return {raw.decode() for raw in await bench.redis.lrange("bull:deadLetters:wait", 0, -1)}


async def wait_for_letters(bench: Bench, expected: set[str]) -> None:
    async def shown() -> bool:
        return await list_letters(bench) == expected

    await bench.wait_until(shown)


async def test_dead_jobs_are_shown_in_their_queue_and_come_back_after_a_flush(bench: Bench) -> None:
    dead = await make_dead(bench, 3)
    expected = {f"d{job.job_id}-{job.dispatch}" for job in dead}

    await wait_for_letters(bench, expected)
    await bench.redis.flushall()
    await wait_for_letters(bench, expected)
    assert {job.error.message for job in dead} == {"no good"}


async def test_a_removed_letter_comes_back_and_a_strange_one_goes(bench: Bench) -> None:
    [dead] = await make_dead(bench, 1)
    await wait_for_letters(bench, {f"d{dead.job_id}-{dead.dispatch}"})
    await bench.redis.delete("bull:deadLetters:wait")
    await bench.redis.lpush("bull:deadLetters:wait", "d999-1")

    await wait_for_letters(bench, {f"d{dead.job_id}-{dead.dispatch}"})


async def test_a_redrive_keeps_the_id_and_its_letter_goes(bench: Bench) -> None:
    [dead] = await make_dead(bench, 1)
    bench.handlers.script = write_effect

    [redriven] = await bench.engine.redrive([dead.job_id], OPERATOR)
    assert redriven.job_id == dead.job_id
    await bench.wait_for_state("completed")

    row = await bench.show()
    assert (row.id, row.attempt, row.lease) == (dead.job_id, 0, 4)
    assert await bench.read_effects() == ["dead 0", "0"]
    await wait_for_letters(bench, set())
    await bench.assert_consistent()
    await bench.assert_both_sides_agree()


async def test_a_redriven_job_may_die_again(bench: Bench) -> None:
    [dead] = await make_dead(bench, 1)
    await bench.engine.redrive([dead.job_id], OPERATOR)

    async def died_again() -> bool:
        return len(bench.handlers.dead) == 2

    await bench.wait_until(died_again)
    assert await bench.read_outcomes() == ["failed"] * 6


async def test_a_discard_makes_dead_jobs_cancelled(bench: Bench) -> None:
    [dead] = await make_dead(bench, 1)

    assert await bench.engine.discard([dead.job_id], OPERATOR) == [dead.job_id]
    assert await bench.engine.discard([dead.job_id], OPERATOR) == []
    assert (await bench.show()).state is JobState.CANCELLED
    await wait_for_letters(bench, set())
    await bench.assert_consistent()


async def test_a_letter_that_is_discarded_long_after_its_death_keeps_its_key_for_the_horizon(bench: Bench) -> None:
    [dead] = await make_dead(bench, 1)
    await bench.pool.execute("UPDATE engine.jobs SET finished_at = finished_at - interval '40 days'")
    await bench.engine.discard([dead.job_id], OPERATOR)

    assert await Pruner(bench.engine.store).prune() == 0
    [again] = await bench.enqueue(Work(n=0))
    assert (again.created, again.state) == (False, JobState.CANCELLED)


async def test_only_dead_jobs_are_redriven(bench: Bench) -> None:
    [live] = await bench.enqueue(Work(n=1))

    assert await bench.engine.redrive([live.job_id], OPERATOR) == []
    assert await bench.pool.fetchval("SELECT count(*) FROM engine.audit_log") == 0


async def test_every_action_is_audited_with_who_why_and_what(bench: Bench) -> None:
    [dead] = await make_dead(bench, 1)
    await bench.engine.redrive([dead.job_id], OPERATOR)

    async def died_again() -> bool:
        return len(bench.handlers.dead) == 2

    await bench.wait_until(died_again)
    await bench.engine.discard([dead.job_id], OPERATOR)
    [other] = await bench.enqueue(Work(n=9), run_at=datetime(2035, 1, 1, tzinfo=UTC))
    await bench.engine.cancel([other.job_id], OPERATOR)
    await bench.engine.pause("work", OPERATOR)

    rows = await bench.pool.fetch("SELECT actor, reason, action, job_ids FROM engine.audit_log ORDER BY id")
    assert [tuple(row) for row in rows] == [
        ("ann", "a test", "redrive", [dead.job_id]),
        ("ann", "a test", "discard", [dead.job_id]),
        ("ann", "a test", "cancel", [other.job_id]),
        ("ann", "a test", "pause", []),
    ]


async def test_the_picture_is_bounded_and_shows_the_latest(bench: Bench) -> None:
    await bench.pool.execute(
        """
        INSERT INTO engine.jobs (queue, key, kind, payload, rank, state, dispatch)
        SELECT 'work', n::text, 'work', '{}', now(), 'dead', 1 FROM generate_series(1, 20) n;
        INSERT INTO engine.dead SELECT id, queue, now() + id * interval '1 s' FROM engine.jobs;
        """
    )
    dead = await bench.engine.list_dead(DeadQuery(limit=5))
    assert await bench.broker.project_dead(dead, 5) == (5, 0)
    assert await list_letters(bench) == {f"d{job_id}-1" for job_id in range(16, 21)}
    assert dead_letters.KEPT >= 1_000


async def test_letters_that_did_not_change_are_not_read_again(bench: Bench) -> None:
    projection = dead_letters.DeadLetterProjection(bench.engine.store, bench.broker)
    reads = 0
    list_dead = bench.engine.store.list_dead

    async def count_reads(query: DeadQuery) -> Sequence[DeadJob]:
        nonlocal reads
        reads += 1
        return await list_dead(query)

    bench.engine.store.list_dead = count_reads  # type: ignore[method-assign]
    await bench.pool.execute(
        """
        INSERT INTO engine.jobs (queue, key, kind, payload, rank, state, dispatch)
        SELECT 'work', n::text, 'work', '{}', now(), 'dead', 1 FROM generate_series(1, 3) n;
        INSERT INTO engine.dead SELECT id, queue FROM engine.jobs;
        """
    )
    for _ in range(dead_letters.UNCHANGED_RUNS):
        await projection.project_changes()
    assert reads == 1
    await bench.redis.flushall()
    await projection.project_changes()
    assert (reads, await list_letters(bench)) == (2, {"d1-1", "d2-1", "d3-1"})
    await bench.engine.discard([2], OPERATOR)
    await projection.project_changes()
    assert (reads, await list_letters(bench)) == (3, {"d1-1", "d3-1"})
    await bench.redis.delete("bull:deadLetters:wait")
    await bench.redis.lpush("bull:deadLetters:wait", "d8-1", "d9-1")
    for _ in range(dead_letters.UNCHANGED_RUNS + 1):
        await projection.project_changes()
    assert await list_letters(bench) == {"d1-1", "d3-1"}


async def test_dead_letters_are_found_by_what_one_knows_of_them(bench: Bench) -> None:
    await make_dead(bench, 3)
    find = bench.engine.list_dead

    assert len(await find(DeadQuery(error="NO GOOD"))) == 3
    assert len(await find(DeadQuery(error="else"))) == 0
    assert [job.key for job in await find(DeadQuery(key="2"))] == ["2"]
    assert len(await find(DeadQuery(limit=2))) == 2
