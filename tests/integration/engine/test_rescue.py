"""Heartbeat and rescue: who is dead, what becomes of its jobs, and who is not harmed by it."""

from __future__ import annotations

import asyncio
import platform
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from tests.integration.engine.conftest import OpenBench
from tests.integration.engine.test_relay import make_relay
from tests.support.engine import QUICK_ENGINE, SHORT_LEASE, Bench, Work, without_maintenance, write_effect
from tournee.engine.client import Job, JobQuery, JobState, LedgerUnavailable, QueueName
from tournee.engine.core.job import WorkerId, make_token
from tournee.engine.maintenance.reconciler import Reconciler
from tournee.engine.maintenance.rescuer import Rescuer

WORK = QueueName("work")
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
async def bench(open_benches: OpenBench) -> Bench:
    """One in which leases run out soon."""
    return await open_benches(settings=SHORT_LEASE)


@asynccontextmanager
async def worker_process(bench: Bench, concurrency: int = 5) -> AsyncIterator[asyncio.subprocess.Process]:
    """A worker in a process of its own, ready to fetch; killed at the end if the test did not."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.support.engine",
        bench.database_url,
        bench.redis_url,
        str(concurrency),
        str(int(bench.through_bouncer)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        await read_line(process, "ready")
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        process._transport.close()  # type: ignore[attr-defined]


async def read_line(process: asyncio.subprocess.Process, word: str) -> None:
    assert process.stdout is not None
    async with asyncio.timeout(60):
        while word not in (line := (await process.stdout.readline()).decode()):
            assert line, "the worker process ended"


async def test_the_jobs_of_a_killed_worker_run_once_more(bench: Bench) -> None:
    await bench.enqueue(*(Work(n=n, note="hang") for n in range(3)))
    async with worker_process(bench) as process:
        await bench.wait_for_state("running", 3)
        process.kill()
        await process.wait()
        await bench.start()
        await bench.run_to_rest()

    rows = await bench.pool.fetch("SELECT lease, attempt, crashes, suspect FROM engine.jobs")
    assert {tuple(row) for row in rows} == {(2, 0, 0, False)}
    assert sorted(await bench.read_effects()) == ["0", "1", "2"]
    assert len(await bench.engine.read_workers()) == 1
    await bench.assert_consistent()
    await bench.assert_both_sides_agree()


async def test_a_worker_reported_dead_is_rescued_at_once(open_benches: OpenBench) -> None:
    bench = await open_benches(settings=replace(QUICK_ENGINE, lease_seconds=600.0))
    await bench.enqueue(Work(n=0, note="hang"))
    async with worker_process(bench) as process:
        await bench.wait_for_state("running")
        process.kill()
        await process.wait()
        await bench.start()
        assert await bench.engine.store.report_dead_worker([process.pid], platform.node()) == 1
        await bench.run_to_rest()


async def test_whoever_is_told_of_a_death_rescues_without_waiting_for_its_next_look(open_benches: OpenBench) -> None:
    bench = await open_benches(settings=replace(QUICK_ENGINE, lease_seconds=600.0, look_seconds=600.0))
    await bench.enqueue(Work(n=0, note="hang"))
    async with worker_process(bench) as process:
        await bench.wait_for_state("running")
        await bench.engine.start()
        process.kill()
        await process.wait()
        assert await bench.engine.report_dead([process.pid], platform.node()) == 1
        # Dispatched anew too: by a relay that would look in ten minutes.
        await bench.wait_for_state("queued")


async def test_what_a_dead_process_had_locked_is_rescued_as_soon_as_its_session_is_gone(
    open_benches: OpenBench,
) -> None:
    bench = await open_benches(settings=replace(QUICK_ENGINE, lease_seconds=600.0))
    await bench.enqueue(Work(n=0, note="hang"))
    async with worker_process(bench) as process, bench.pool.acquire() as session:
        await bench.wait_for_state("running")
        await bench.engine.start()
        process.kill()
        await process.wait()
        async with session.transaction():
            await session.execute("SELECT FROM engine.jobs FOR UPDATE")
            await bench.engine.report_dead([process.pid], platform.node())

            async def is_forgotten() -> bool:
                return await bench.engine.read_workers() == []

            await bench.wait_until(is_forgotten)
            assert (await bench.show()).state is JobState.RUNNING
        await bench.wait_for_state("queued")


async def test_a_worker_that_stood_still_for_less_than_the_lease_keeps_its_jobs(bench: Bench) -> None:
    await bench.engine.start()
    await bench.enqueue(Work(n=0, note="hang"))
    async with worker_process(bench) as process:
        await bench.wait_for_state("running")
        process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(SHORT_LEASE.lease_seconds / 2)
        process.send_signal(signal.SIGCONT)
        await asyncio.sleep(SHORT_LEASE.lease_seconds)
        row = await bench.show()
        assert (row.state, row.lease) == (JobState.RUNNING, 1)


async def test_a_worker_that_stood_still_past_the_lease_writes_nothing_and_goes_on_under_a_new_id(
    bench: Bench,
) -> None:
    await bench.enqueue(Work(n=0, note="hang"))
    async with worker_process(bench) as process:
        await bench.wait_for_state("running")
        [before] = await bench.engine.read_workers()
        process.send_signal(signal.SIGSTOP)
        await bench.start(queues=("free",))

        async def rescued() -> bool:
            # Pending for a moment only: the relay dispatches it again at once, and nobody who serves it is awake.
            return (await bench.show()).state is not JobState.RUNNING

        await bench.wait_until(rescued)
        process.send_signal(signal.SIGCONT)

        async def reborn() -> bool:
            workers = {worker.id for worker in await bench.engine.read_workers() if worker.pid == process.pid}
            return bool(workers) and before.id not in workers

        await bench.wait_until(reborn)
        await read_line(process, "hanging")
        await bench.wait_for_state("running")
        row = await bench.show()
        # How often it is claimed anew depends on who looks first; what counts is that the old lease is over.
        assert row.lease > 1
        assert (row.attempt, row.suspect) == (0, True)


async def test_a_process_that_comes_to_lead_rescues_at_once_by_what_it_saw_before(bench: Bench) -> None:
    watcher = Rescuer(bench.engine.store, SHORT_LEASE.lease_seconds, lambda _kind: None)
    await bench.enqueue(Work(n=0, note="hang"))
    async with worker_process(bench) as process:
        await bench.wait_for_state("running")
        process.kill()
        await process.wait()
    for _ in range(5):
        rescued = await watcher.rescue(leads=False)
        assert (list(rescued.returned), (await bench.show()).state) == ([], JobState.RUNNING)
        await asyncio.sleep(SHORT_LEASE.lease_seconds / 4)

    assert len((await watcher.rescue(leads=True)).returned) == 1


async def test_what_a_dead_process_fetched_and_never_claimed_waits_neither_for_its_lock_nor_for_an_age(
    open_benches: OpenBench,
) -> None:
    bench = await open_benches(settings=without_maintenance())
    await bench.start(queues=("free",))
    await bench.enqueue_work(2)

    async def dispatched() -> bool:
        return (await bench.broker.read_depth(WORK)).waiting == 2

    await bench.wait_until(dispatched)
    [living] = await bench.engine.read_workers()
    await bench.broker.exchange(WORK, [], 1, make_token(living.id))
    [taken] = await bench.broker.exchange(WORK, [], 1, make_token(WorkerId(uuid4())))

    hour = timedelta(hours=1)
    assert (await Reconciler(bench.engine.store, bench.broker).compare(WORK, hour)).returned == 1
    assert taken.id is not None
    rows = {row.id: row for row in await bench.engine.list_jobs(JobQuery(queue=WORK))}
    # The relay may have dispatched it anew by now.
    given_back = rows.pop(taken.id.job_id)
    assert given_back.state is JobState.PENDING or given_back.dispatch == 2
    assert [(row.state, row.dispatch) for row in rows.values()] == [(JobState.QUEUED, 1)]


async def test_rescued_jobs_stand_before_what_waits(bench: Bench) -> None:
    await bench.enqueue(Work(n=0, note="hang"))
    async with worker_process(bench) as process:
        await bench.wait_for_state("running")
        process.kill()
        await process.wait()
    await bench.enqueue_work(5, first=1)
    await make_relay(bench).fill()
    await bench.pool.execute("UPDATE engine.workers SET reported_dead = true")
    await Rescuer(bench.engine.store, SHORT_LEASE.lease_seconds, lambda _kind: None).rescue()
    await make_relay(bench).fill()

    [first] = await bench.broker.exchange(WORK, [], 1, make_token(WorkerId(uuid4())))
    assert first.id is not None
    assert first.id.job_id == (await bench.show()).id


async def test_a_job_that_kills_its_worker_twice_while_alone_is_dead_and_its_neighbours_are_unharmed(
    bench: Bench,
) -> None:
    await bench.engine.start()
    await bench.enqueue(*(Work(n=n, note="hang") for n in range(1, 3)))
    async with worker_process(bench) as process:
        await bench.wait_for_state("running", 2)
        await bench.enqueue(Work(n=0, note="kill"))
        await process.wait()
    await bench.pool.execute("UPDATE engine.jobs SET payload = jsonb_set(payload, '{note}', '\"\"') WHERE key <> '0'")
    for _ in range(2):
        async with worker_process(bench) as process:
            await process.wait()
    await bench.wait_for_state("dead")
    await bench.start()
    await bench.run_to_rest()

    row = await bench.show()
    assert (row.crashes, row.attempt, row.state) == (2, 0, JobState.DEAD)
    assert await bench.read_outcomes() == ["crashed"]
    assert [dead.key for dead in bench.handlers.dead] == ["0"]
    rows = await bench.pool.fetch("SELECT state::text, attempt, crashes FROM engine.jobs WHERE key <> '0'")
    assert {tuple(row) for row in rows} == {("completed", 0, 0)}
    await bench.assert_consistent()


async def test_a_suspect_runs_alone_and_is_none_after_it_came_to_an_end(bench: Bench) -> None:
    beside: list[int] = []
    running = 0

    async def script(job: Job[Work]) -> None:
        nonlocal running
        running += 1
        if job.claimed.suspect:
            beside.append(running)
        for _ in range(5):
            await asyncio.sleep(0.002)
            if job.claimed.suspect:
                beside.append(running)
        running -= 1
        await write_effect(job)

    bench.handlers.script = script
    await bench.enqueue_work(30)
    await bench.pool.execute("UPDATE engine.jobs SET suspect = true WHERE key::int % 10 = 0")
    await bench.start(concurrency=8)
    await bench.run_to_rest()

    assert set(beside) == {1}
    assert len(beside) == 18
    assert await bench.pool.fetchval("SELECT count(*) FROM engine.jobs WHERE suspect OR alone") == 0


async def test_a_death_hook_that_fails_does_not_hold_up_the_rescue_of_others(bench: Bench) -> None:
    bench.handlers.death_fault = RuntimeError("the hook is broken")
    await bench.enqueue_work(3)
    await bench.pool.execute(
        """
        UPDATE engine.jobs SET state = 'running', lease = 1, started_at = now(), deadline_at = now() + interval '1 h',
               worker_id = gen_random_uuid(), alone = (key = '0'), suspect = (key = '0'), crashes = (key = '0')::int;
        DELETE FROM engine.ready; INSERT INTO engine.inflight SELECT queue, id FROM engine.jobs;
        """
    )
    await bench.start()
    await bench.wait_for_state("completed", 2)
    assert (await bench.show()).state is JobState.RUNNING

    bench.handlers.death_fault = None
    await bench.wait_for_state("dead")
    await bench.assert_consistent()


async def test_rows_that_bear_our_id_and_that_we_do_not_hold_are_released(bench: Bench) -> None:
    worker = await bench.start()
    await bench.pool.execute(
        """
        WITH claimed AS (
            INSERT INTO engine.jobs (queue, key, kind, payload, rank, state, lease, dispatch, worker_id, started_at,
                                     deadline_at)
            VALUES ('work', '0', 'work', '{"n": 0}', now(), 'running', 1, 1, $1, now(), now() + interval '1 hour')
            RETURNING queue, id
        )
        INSERT INTO engine.inflight SELECT * FROM claimed
        """,
        worker.id,
    )
    await bench.run_to_rest()
    row = await bench.show()
    assert (row.lease, row.attempt, row.crashes, row.suspect) == (2, 0, 0, False)
    assert bench.handlers.started == ["0"]


async def test_a_job_past_its_deadline_goes_back_though_its_worker_lives(bench: Bench) -> None:
    await bench.start()
    bench.handlers.gate.clear()
    await bench.enqueue(Work(n=0))
    await bench.handlers.running.wait()
    await bench.pool.execute("UPDATE engine.jobs SET deadline_at = now() - interval '1 s'")

    async def ran_again() -> bool:
        return len(bench.handlers.started) == 2

    await bench.wait_until(ran_again)
    bench.handlers.gate.set()
    await bench.run_to_rest()
    row = await bench.show()
    assert (row.lease, row.attempt, row.crashes) == (2, 0, 0)
    assert await bench.read_effects() == ["0"]


async def test_a_ledger_away_for_longer_than_the_lease_costs_nobody_a_rescue(bench: Bench) -> None:
    worker = await bench.start()
    bench.handlers.gate.clear()
    await bench.enqueue(Work(n=0))
    await bench.wait_for_state("running")

    class Away:
        """Stands in front of the pool: takes back what it gave, and gives nothing more."""

        release = bench.pool.release

        def __getattr__(self, _name: str) -> object:
            raise LedgerUnavailable("away")

    session = bench.engine.store.session
    pool, session.pool = session.pool, Away()  # type: ignore[assignment]
    await asyncio.sleep(1.5 * SHORT_LEASE.lease_seconds)
    session.pool = pool
    await asyncio.sleep(0.7 * SHORT_LEASE.lease_seconds)

    assert [row.id for row in await bench.engine.read_workers()] == [worker.id]
    bench.handlers.gate.set()
    await bench.run_to_rest()
    assert (await bench.show()).lease == 1


async def test_handlers_that_hold_all_their_connections_do_not_stop_the_heartbeat(bench: Bench) -> None:
    release = asyncio.Event()
    inside = 0

    async def script(job: Job[Work]) -> None:
        nonlocal inside
        async with job.transaction() as tx:
            inside += 1
            while not release.is_set():
                await tx.connection.execute("SELECT 1")
                await asyncio.sleep(0.1)

    bench.handlers.script = script
    worker = await bench.start(concurrency=30, queues=("work",))
    await bench.enqueue_work(30)

    async def crowded() -> bool:
        return inside >= 9

    await bench.wait_until(crowded)
    await asyncio.sleep(1.5 * SHORT_LEASE.lease_seconds)
    [row] = await bench.engine.read_workers()
    assert row.id == worker.id
    release.set()
    await bench.run_to_rest()
    assert await bench.pool.fetchval("SELECT count(*) FROM engine.jobs WHERE lease > 1") == 0


async def test_a_worker_that_was_forgotten_announces_itself_before_it_claims(bench: Bench) -> None:
    worker = await bench.start()
    await bench.enqueue_work(200)
    for _ in range(3):
        await bench.pool.execute("DELETE FROM engine.workers")
        before = worker.id

        async def reborn(before: object = before) -> bool:
            return worker.id != before

        await bench.wait_until(reborn)
        known = await bench.pool.fetchval("SELECT count(*) FROM engine.workers WHERE id = $1", worker.id)
        assert known == 1
    await bench.run_to_rest()
    assert sorted(await bench.read_effects(), key=int) == [str(n) for n in range(200)]
    assert await bench.pool.fetchval("SELECT count(*) FROM engine.jobs WHERE attempt > 0") == 0
