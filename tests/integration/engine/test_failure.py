"""What a run comes to: which outcomes use an attempt, and which never do."""

from __future__ import annotations

import asyncio
import itertools
from datetime import timedelta

from tests.integration.engine.conftest import OpenBench
from tests.integration.engine.test_relay import make_relay
from tests.support.engine import Bench, Work, insert_effect, write_effect
from tournee.engine.client import Job, JobState, LedgerUnavailable, Payload, ProviderUnavailable, Snooze
from tournee.engine.ports import CommitUnknown


class NewerKind(Payload, queue="work", kind="of-a-newer-version"):
    """A kind that this process has no handler for."""

    def key(self) -> str:
        return "newer"


async def fail_always(_job: Job[Work]) -> None:
    raise ValueError("no good")


async def test_three_failed_attempts_make_a_job_dead_with_its_errors_and_hook(bench: Bench) -> None:
    bench.handlers.script = fail_always
    await bench.start()
    await bench.enqueue(Work(n=0))
    await bench.wait_for_state("dead")

    row = await bench.show()
    assert (row.attempt, row.crashes, row.outages) == (3, 0, 0)
    assert await bench.read_outcomes() == ["failed"] * 3
    assert await bench.read_effects() == ["dead 0"]
    [dead] = bench.handlers.dead
    assert (dead.error.error_class, dead.error.message) == ("ValueError", "no good")
    assert "fail_always" in dead.error.stack
    await bench.assert_consistent()
    await bench.assert_both_sides_agree()


async def test_a_death_hook_that_fails_loses_neither_the_job_nor_the_death(bench: Bench) -> None:
    bench.handlers.script = fail_always
    bench.handlers.death_fault = RuntimeError("the hook is broken")
    await bench.start()
    await bench.enqueue(Work(n=0))

    async def parked() -> bool:
        return (await bench.show()).outages == 1

    await bench.wait_until(parked)
    row = await bench.show()
    assert (row.state, row.attempt) == (JobState.PENDING, 2)
    assert row.run_at > row.created_at + timedelta(seconds=3)
    assert await bench.read_effects() == []

    bench.handlers.death_fault = None
    await bench.pool.execute("UPDATE engine.jobs SET run_at = now(); UPDATE engine.ready SET run_at = now()")
    await bench.wait_for_state("dead")
    assert await bench.read_effects() == ["dead 0"]


async def test_a_retry_waits_for_its_delay(bench: Bench) -> None:
    await bench.start()
    bench.handlers.script = fail_always
    await bench.enqueue(Work(n=0))
    await bench.wait_for_state("dead")

    attempts = await bench.engine.list_attempts([(await bench.show()).id])
    for earlier, later in itertools.pairwise(attempts):
        assert later.started_at is not None
        assert later.started_at - earlier.finished_at >= timedelta(milliseconds=15)


async def test_a_handler_that_runs_too_long_has_failed_and_is_told_as_timed_out(open_benches: OpenBench) -> None:
    bench = await open_benches(time_limit=timedelta(milliseconds=80))
    bench.handlers.gate.clear()
    await bench.start()
    await bench.enqueue(Work(n=0))
    await bench.wait_for_state("dead")

    assert await bench.read_outcomes() == ["timed_out"] * 3


async def test_an_outage_parks_without_an_attempt_and_opens_the_breaker(open_benches: OpenBench) -> None:
    bench = await open_benches(provider="shop")

    async def script(_job: Job[Work]) -> None:
        raise ProviderUnavailable("shop", "closed", timedelta(seconds=60))

    bench.handlers.script = script
    await bench.start(concurrency=1)
    await bench.enqueue_work(10)

    async def open_now() -> bool:
        [provider] = await bench.engine.read_providers()
        return provider.state == "open"

    await bench.wait_until(open_now)
    await bench.wait_for_state("pending", 10)
    assert len(bench.handlers.started) == 1
    rows = await bench.pool.fetch("SELECT attempt, outages, key FROM engine.jobs ORDER BY outages DESC, id")
    assert {row["attempt"] for row in rows} == {0}
    assert sum(row["outages"] for row in rows) == 1
    [parked] = [row["key"] for row in rows if row["outages"]]
    assert await bench.read_outcomes(int(parked)) == ["parked"]
    await bench.assert_both_sides_agree()


async def test_many_jobs_that_hit_one_outage_open_the_breaker_once(bench: Bench) -> None:
    """Fifty answers of 429 with one second's notice must not add up to five minutes."""
    note_outage = bench.engine.store.note_outage
    await asyncio.gather(*(note_outage("shop", "429", timedelta(seconds=1)) for _ in range(8)))

    row = await bench.pool.fetchrow("SELECT state, openings, retry_at - now() AS left FROM engine.providers")
    assert row is not None
    assert (row["state"], row["openings"]) == ("open", 1)
    assert row["left"] < timedelta(seconds=6)


async def test_a_straggler_may_name_a_later_time(bench: Bench) -> None:
    await bench.engine.store.note_outage("shop", "429", timedelta(seconds=1))
    await bench.engine.store.note_outage("shop", "429", timedelta(seconds=600))
    await bench.engine.store.note_outage("shop", "429", timedelta(seconds=2))

    left = await bench.pool.fetchval("SELECT retry_at - now() FROM engine.providers")
    assert left > timedelta(seconds=500)


async def test_a_half_open_breaker_admits_its_probes_and_no_more_whatever_was_dispatched(
    open_benches: OpenBench,
) -> None:
    benches = [await open_benches(provider="shop") for _ in range(3)]
    bench = benches[0]
    for one in benches:
        one.handlers.gate.clear()
    # Jobs stand in Redis when the breaker opens, and nobody has fetched them until it is half-open.
    await bench.enqueue_work(15)
    for one in benches:
        await one.engine.start()
    await bench.wait_for_state("queued", 15)
    await bench.enqueue_work(15, first=100)
    await bench.pool.execute("UPDATE engine.providers SET state = 'open', retry_at = now(), opened_at = now()")
    await bench.wait_for_state("queued", 3)
    for one in benches:
        await one.add_worker(concurrency=5, queues=("work",))

    await bench.wait_for_state("running", 3)
    for _ in range(5):
        for one in benches:
            one.engine.nudge()
        await asyncio.sleep(0.05)
        assert (await bench.count_states()) == {"pending": 27, "running": 3}

    for one in benches:
        one.handlers.gate.set()
    await bench.run_to_rest()
    [provider] = await bench.engine.read_providers()
    assert (provider.state, provider.openings) == ("closed", 0)
    assert await bench.count_states() == {"completed": 30}


async def test_after_it_closed_the_rate_ramps_up(open_benches: OpenBench) -> None:
    bench = await open_benches(provider="shop")
    bench.handlers.gate.clear()
    await bench.pool.execute("UPDATE engine.providers SET opened_at = now(), changed_at = now(), state = 'closed'")
    await bench.enqueue_work(20)
    await bench.engine.start()

    async def count_queued() -> int:
        return (await bench.count_states()).get("queued", 0)

    async def is_held_back() -> bool:
        # Three in the first second, doubled each second: how far it is depends on when the machine lets us look.
        return await count_queued() in (3, 6, 12)

    await bench.wait_until(is_held_back)
    seen = await count_queued()

    async def has_grown() -> bool:
        return await count_queued() > seen

    await bench.wait_until(has_grown)


async def test_a_failed_probe_opens_the_breaker_for_longer(open_benches: OpenBench) -> None:
    bench = await open_benches(provider="shop")

    async def script(_job: Job[Work]) -> None:
        raise ProviderUnavailable("shop", "still closed")

    bench.handlers.script = script
    await bench.pool.execute(
        "UPDATE engine.providers SET state = 'open', openings = 1, retry_at = now(), opened_at = now()"
    )
    await bench.enqueue_work(10)
    await bench.start()

    async def opened_again() -> bool:
        [provider] = await bench.engine.read_providers()
        return (provider.state, provider.openings) == ("open", 2)

    await bench.wait_until(opened_again)
    await bench.wait_for_state("pending", 10)
    assert 1 <= len(bench.handlers.started) <= 3


async def test_an_outage_that_comes_again_parks_for_longer(bench: Bench) -> None:
    async def script(_job: Job[Work]) -> None:
        raise ProviderUnavailable("elsewhere", "closed")

    bench.handlers.script = script
    await bench.enqueue(Work(n=0))
    await bench.pool.execute("UPDATE engine.jobs SET outages = 4")
    await bench.start()

    async def parked() -> bool:
        return (await bench.show()).outages == 5

    await bench.wait_until(parked)
    row = await bench.show()
    assert row.run_at - row.created_at > timedelta(seconds=60)


async def test_a_snooze_puts_off_and_uses_no_attempt(bench: Bench) -> None:
    async def script(job: Job[Work]) -> None:
        if len(bench.handlers.started) < 4:
            raise Snooze(timedelta(milliseconds=20))
        await write_effect(job)

    bench.handlers.script = script
    await bench.start()
    await bench.enqueue(Work(n=0))
    await bench.run_to_rest()

    row = await bench.show()
    assert (row.attempt, row.snoozes, row.state) == (0, 3, JobState.COMPLETED)


async def test_a_kind_that_nobody_here_knows_is_parked_and_never_dead(bench: Bench) -> None:
    await bench.start()
    [answer] = await bench.enqueue(NewerKind())

    async def parked() -> bool:
        shown = await bench.engine.show_job(answer.job_id)
        return shown is not None and shown[0].outages == 1

    await bench.wait_until(parked)
    shown = await bench.engine.show_job(answer.job_id)
    assert shown is not None
    assert (shown[0].state, shown[0].attempt) == (JobState.PENDING, 0)
    assert [attempt.outcome for attempt in shown[1]] == ["parked"]


async def test_a_newer_version_of_a_known_kind_is_parked(bench: Bench) -> None:
    await bench.enqueue(Work(n=0))
    await bench.pool.execute("UPDATE engine.jobs SET version = 2")
    await bench.start()

    async def parked() -> bool:
        return (await bench.show()).outages == 1

    await bench.wait_until(parked)
    assert bench.handlers.started == []


async def test_a_payload_that_no_longer_fits_its_type_is_a_failure(bench: Bench) -> None:
    await bench.enqueue(Work(n=0))
    await bench.pool.execute("""UPDATE engine.jobs SET payload = '{"n": "not a number"}'""")
    await bench.start()
    await bench.wait_for_state("dead")

    assert bench.handlers.dead[0].error.error_class == "ValidationError"


async def test_the_ledger_away_in_a_handler_uses_no_attempt(bench: Bench) -> None:
    async def script(job: Job[Work]) -> None:
        if len(bench.handlers.started) == 1:
            raise LedgerUnavailable("away")
        await write_effect(job)

    bench.handlers.script = script
    await bench.start()
    await bench.enqueue(Work(n=0))
    await bench.run_to_rest()

    assert (await bench.show()).attempt == 0


async def test_a_connection_cut_inside_the_transaction_uses_no_attempt(bench: Bench) -> None:
    async def script(job: Job[Work]) -> None:
        async with job.transaction() as tx:
            await insert_effect(tx, job.key)
            if len(bench.handlers.started) == 1:
                pid = await tx.connection.fetchval("SELECT pg_backend_pid()")
                await bench.pool.execute("SELECT pg_terminate_backend($1)", pid)
                await insert_effect(tx, "never")

    bench.handlers.script = script
    await bench.start()
    await bench.enqueue(Work(n=0))
    await bench.run_to_rest()

    assert await bench.read_effects() == ["0"]
    assert await bench.engine.list_attempts([(await bench.show()).id]) == []
    assert (await bench.show()).attempt == 0


async def test_a_commit_whose_answer_was_lost_is_asked_for_and_not_run_again(bench: Bench) -> None:
    async def script(job: Job[Work]) -> None:
        lost = job.transaction()
        opened = await lost.__aenter__()
        await insert_effect(opened, job.key)
        await lost.__aexit__(None, None, None)
        job._only.state = type(job._only.state).UNKNOWN
        raise CommitUnknown("the answer was lost")

    bench.handlers.script = script
    await bench.start()
    await bench.enqueue(Work(n=0))
    await bench.run_to_rest()

    assert bench.handlers.started == ["0"]
    assert await bench.read_effects() == ["0"]


async def test_an_exception_that_cannot_be_shown_is_a_failure_like_any_other(bench: Bench) -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    async def script(_job: Job[Work]) -> None:
        raise Mute

    bench.handlers.script = script
    await bench.start()
    await bench.enqueue(Work(n=0))
    await bench.wait_for_state("dead")

    assert bench.handlers.dead[0].error.error_class.endswith("Mute")


async def test_a_handler_that_cancels_itself_has_failed_and_the_worker_goes_on(bench: Bench) -> None:
    async def script(job: Job[Work]) -> None:
        if job.payload.n == 0:
            raise asyncio.CancelledError
        await write_effect(job)

    bench.handlers.script = script
    await bench.start()
    await bench.enqueue_work(3)
    await bench.wait_for_state("dead")
    await bench.wait_for_state("completed", 2)


async def test_errors_with_hostile_text_are_recorded(bench: Bench) -> None:
    async def script(_job: Job[Work]) -> None:
        raise ValueError("a\x00b\ud800" + "x" * 100_000)

    bench.handlers.script = script
    await bench.start()
    await bench.enqueue(Work(n=0))
    await bench.wait_for_state("dead")

    assert len((await bench.engine.list_attempts([(await bench.show()).id]))[0].message) <= 4_000


async def test_a_failure_of_a_stale_lease_changes_nothing(bench: Bench) -> None:
    async def script(_job: Job[Work]) -> None:
        await bench.pool.execute("UPDATE engine.jobs SET lease = lease + 1, worker_id = NULL")
        raise ValueError("too late")

    bench.handlers.script = script
    await bench.add_worker(queues=("work",), heartbeat_seconds=10)
    await bench.enqueue(Work(n=0))
    await make_relay(bench).fill()

    async def ran() -> bool:
        return bool(bench.handlers.started) and not await bench.list_active()

    await bench.wait_until(ran)
    row = await bench.show()
    assert (row.state, row.attempt) == (JobState.RUNNING, 0)
    assert await bench.read_outcomes() == []
