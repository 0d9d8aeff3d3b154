"""Pausing a queue: kept in the ledger, so that neither a restart nor the loss of Redis starts it again."""

from __future__ import annotations

from tests.integration.engine.conftest import OpenBench
from tests.support.engine import OPERATOR, Bench, Free, Work


async def test_a_pause_outlasts_a_restart_and_the_loss_of_redis(open_benches: OpenBench) -> None:
    before = await open_benches()
    await before.start()
    assert await before.engine.pause("work", OPERATOR)
    await before.stop()
    await before.redis.flushall()

    bench = await open_benches()
    await bench.enqueue_work(5)
    await bench.start()
    await bench.enqueue(Free(n=1))
    await bench.wait_for_state("completed")  # the other queue moves
    await bench.redis.flushall()
    await bench.engine.declare()
    await bench.enqueue(Free(n=2))
    await bench.wait_for_state("completed", 2)
    assert (await bench.count_states())["pending"] == 5
    assert "0" not in bench.handlers.started

    assert await bench.engine.resume("work", OPERATOR)
    await bench.run_to_rest()
    assert await bench.count_states() == {"completed": 7}


async def test_a_running_job_goes_on_and_its_retry_waits_for_the_resume(bench: Bench) -> None:
    bench.handlers.gate.clear()

    async def script(_job: object) -> None:
        raise ValueError("once more")

    bench.handlers.script = script
    await bench.start()
    await bench.enqueue(Work(n=0))
    await bench.wait_for_state("running")
    await bench.engine.pause("work", OPERATOR)
    bench.handlers.gate.set()

    async def failed() -> bool:
        return (await bench.show()).attempt == 1

    await bench.wait_until(failed)
    await bench.pool.execute("UPDATE engine.ready SET run_at = now(); UPDATE engine.jobs SET run_at = now()")
    await bench.enqueue(Free(n=1))
    await bench.wait_for_state("completed")
    assert bench.handlers.started.count("0") == 1
    await bench.engine.resume("work", OPERATOR)
    await bench.wait_for_state("dead")


async def test_pause_and_resume_are_audited_and_an_unknown_queue_is_told(bench: Bench) -> None:
    assert not await bench.engine.pause("nowhere", OPERATOR)
    await bench.engine.pause("work", OPERATOR)
    await bench.engine.resume("work", OPERATOR)
    rows = await bench.pool.fetch("SELECT actor, action, reason, filter FROM engine.audit_log ORDER BY id")
    assert [tuple(row) for row in rows] == [
        ("ann", "pause", "a test", {"queue": "work"}),
        ("ann", "resume", "a test", {"queue": "work"}),
    ]
