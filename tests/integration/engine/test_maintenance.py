"""Pruning, leadership, background services."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import uuid4

from tests.support.engine import Bench, Work
from tournee.engine.core.job import WorkerId
from tournee.engine.maintenance.leader import Leadership
from tournee.engine.maintenance.pruner import Pruner
from tournee.engine.maintenance.service import Service


async def test_the_pruner_removes_what_is_finished_and_older_than_the_horizon_only(bench: Bench) -> None:
    await bench.enqueue_work(6)
    await bench.pool.execute(
        """
        DELETE FROM engine.ready;
        UPDATE engine.jobs SET finished_at = now() - interval '40 days', state = CASE key
            WHEN '0' THEN 'completed' WHEN '1' THEN 'cancelled' WHEN '2' THEN 'dead' ELSE state
        END::engine.job_state;
        UPDATE engine.jobs SET state = 'completed', finished_at = now() - interval '20 days' WHERE key = '3';
        INSERT INTO engine.dead SELECT id, queue FROM engine.jobs WHERE key = '2';
        """
    )
    assert await Pruner(bench.engine.store).prune() == 2
    rows = await bench.pool.fetch("SELECT key FROM engine.jobs ORDER BY id")
    assert [row["key"] for row in rows] == ["2", "3", "4", "5"]
    [again] = await bench.enqueue(Work(n=0))
    assert again.created


async def test_one_run_of_the_pruner_takes_all_that_is_old_and_stops_where_the_young_begin(bench: Bench) -> None:
    await bench.pool.execute(
        """
        INSERT INTO engine.jobs (queue, key, kind, payload, rank, state, created_at, finished_at)
        SELECT 'work', n::text, 'work', '{}', at, 'completed', at, at
        FROM generate_series(1, 9000) n CROSS JOIN LATERAL (
            SELECT now() - CASE WHEN n <= 5000 THEN interval '40 days' ELSE interval '1 day' END) t (at)
        """
    )
    assert await Pruner(bench.engine.store).prune() == 5000
    assert await bench.pool.fetchval("SELECT count(*) FROM engine.jobs") == 4000
    assert await bench.engine.store.read_cursor("pruner") == 0


async def test_a_role_is_played_by_one_process_and_goes_over_when_its_lease_ends(bench: Bench) -> None:
    def lead(seconds: float) -> Leadership:
        return Leadership(bench.engine.store, "rescuer", WorkerId(uuid4()), timedelta(seconds=seconds))

    first, second = lead(0.3), lead(60)
    assert await first.take()
    assert await first.take()
    assert not await second.take()
    await bench.wait_until(second.take)
    assert not await first.take()


async def test_a_stopped_engine_gives_its_roles_back_at_once(bench: Bench) -> None:
    await bench.start()

    async def leads() -> bool:
        return bool(await bench.pool.fetchval("SELECT count(*) = 5 FROM engine.leaders"))

    await bench.wait_until(leads)
    await bench.stop()
    assert await bench.pool.fetchval("SELECT count(*) FROM engine.leaders") == 0


async def test_a_service_whose_run_fails_goes_on_and_a_nudge_during_a_run_is_not_lost() -> None:
    runs = 0
    inside, gate, third = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def run_once() -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise ValueError("at first")
        if runs == 2:
            inside.set()
            await gate.wait()
        if runs == 3:
            third.set()

    service = Service("test", run_once, interval_seconds=3600.0)
    service.start()
    service.nudge()
    async with asyncio.timeout(60):
        while runs < 1:  # noqa: ASYNC110 — the first run sets no event
            await asyncio.sleep(0)
        service.nudge()
        await inside.wait()
        service.nudge()
        gate.set()
        await third.wait()
        await service.stop()
