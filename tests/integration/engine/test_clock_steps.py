"""PostgreSQL's clock was set back: what lies in a future that should be past holds nothing up."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

from tests.support.engine import WORK, Bench
from tournee.engine.core.job import WorkerId
from tournee.engine.core.window import WindowPolicy
from tournee.engine.ports import Room

LEASE = timedelta(seconds=5)


async def test_a_lead_that_lies_far_ahead_is_taken_over(bench: Bench) -> None:
    store, gone, ours = bench.engine.store, WorkerId(uuid4()), WorkerId(uuid4())
    assert await store.take_leadership("rescuer", gone, LEASE)
    assert await store.lead_schedules(["nightly"], gone, LEASE) == {"nightly"}
    assert not await store.take_leadership("rescuer", ours, LEASE)

    await bench.pool.execute("UPDATE engine.leaders SET until = until + interval '1 hour'")

    assert await store.take_leadership("rescuer", ours, LEASE)
    assert await store.lead_schedules(["nightly"], ours, LEASE) == {"nightly"}
    assert not await store.take_leadership("rescuer", gone, LEASE)


async def test_what_redis_lost_is_found_though_it_was_dispatched_at_a_later_hour(bench: Bench) -> None:
    await bench.enqueue_work(2)
    window = WindowPolicy()
    marked = await bench.engine.store.mark_queued(WORK, Room(window.minimum))
    assert len(marked.jobs) == 2
    await bench.pool.execute("UPDATE engine.jobs SET dispatched_at = now() + interval '1 hour' WHERE key = '0'")

    lost = await bench.engine.store.list_queued(WORK, timedelta(seconds=30))

    assert [entry.job_id for entry in lost] == [marked.jobs[0].id.job_id]
