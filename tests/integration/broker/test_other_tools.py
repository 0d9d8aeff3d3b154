"""What BullMQ's own tools, Bull Board among them, may do to our queues behind our back."""

from __future__ import annotations

import warnings
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.broker import (
    BASE,
    LETTERS,
    QUEUE,
    TOKEN,
    Client,
    dispatch_id,
    finish,
    make_dead,
    make_job,
    run_to_death,
)
from tournee.engine.bullmq.broker import BullmqBroker
from tournee.engine.core.job import QueueName


@pytest.fixture
async def bullmq_queue(redis_url: str, server: Client) -> AsyncIterator[Any]:
    """BullMQ's own Queue object on our queue."""
    from bullmq import Queue

    with warnings.catch_warnings():
        # It tells of its own deprecations when it connects.
        warnings.simplefilter("ignore")
        queue = Queue(QUEUE, {"connection": redis_url})
        yield queue
        await queue.close()


async def test_a_pause_is_reported_loses_nothing_and_ends_with_the_resume(
    broker: BullmqBroker, bullmq_queue: Any
) -> None:
    await broker.add(QUEUE, [make_job(1)])
    await bullmq_queue.pause()
    await broker.add(QUEUE, [make_job(2)])

    assert await broker.is_paused(QUEUE) is True
    assert await broker.exchange(QUEUE, [], 5, TOKEN) == []
    assert await broker.wait_for_jobs(QUEUE, 0.02) is False
    assert (await broker.snapshot(QUEUE)).present == {dispatch_id(1), dispatch_id(2)}

    await bullmq_queue.resume()
    assert await broker.is_paused(QUEUE) is False
    assert await broker.wait_for_jobs(QUEUE, 5) is True
    assert len(await broker.exchange(QUEUE, [], 5, TOKEN)) == 2


async def test_a_dead_job_retried_there_comes_back_under_its_old_dispatch_only(
    broker: BullmqBroker, bullmq_queue: Any
) -> None:
    await run_to_death(broker, 1, 2)

    await bullmq_queue.retryJobs({"state": "failed"})

    fetched = await broker.exchange(QUEUE, [], 5, TOKEN)
    assert {entry.id for entry in fetched} == {dispatch_id(1), dispatch_id(2)}
    await broker.exchange(QUEUE, [finish(entry, kept=False) for entry in fetched], 0, TOKEN)
    depth = await broker.read_depth(QUEUE)
    assert (depth.waiting, depth.active, depth.failed) == (0, 0, 0)


async def test_a_job_removed_there_is_missing_from_the_snapshot(broker: BullmqBroker, bullmq_queue: Any) -> None:
    await broker.add(QUEUE, [make_job(1), make_job(2)])

    await bullmq_queue.remove("j1-1")

    assert (await broker.snapshot(QUEUE)).present == {dispatch_id(2)}


async def test_a_queue_emptied_or_cleaned_there_leaves_held_jobs_to_be_finished(
    broker: BullmqBroker, bullmq_queue: Any, server: Client
) -> None:
    await run_to_death(broker, 1)
    await broker.add(QUEUE, [make_job(2), make_job(3)])
    held = await broker.exchange(QUEUE, [], 1, TOKEN)

    await bullmq_queue.drain()
    await bullmq_queue.clean(0, 100, "failed")

    snapshot = await broker.snapshot(QUEUE)
    assert snapshot.present == {dispatch_id(2)}
    await broker.exchange(QUEUE, [finish(entry, kept=False) for entry in held], 0, TOKEN)
    assert await server.keys(f"{BASE}j*") == []


async def test_a_job_added_there_is_foreign(broker: BullmqBroker, bullmq_queue: Any) -> None:
    await bullmq_queue.add("duplicate", {"newsletter_id": 1})

    assert len((await broker.snapshot(QUEUE)).foreign) == 1
    [fetched] = await broker.exchange(QUEUE, [], 5, TOKEN)
    assert fetched.id is None
    await broker.discard(QUEUE, [fetched.raw_id])
    assert not (await broker.snapshot(QUEUE)).foreign


async def test_dead_letters_emptied_there_come_back(broker: BullmqBroker, redis_url: str, server: Client) -> None:
    from bullmq import Queue

    await broker.project_dead([make_dead(1), make_dead(2)], 100)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        letters = Queue(QueueName("deadLetters"), {"connection": redis_url})
        await letters.drain()
        await letters.close()
    assert await server.keys(f"{LETTERS}d*") == []

    assert await broker.project_dead([make_dead(1), make_dead(2)], 100) == (2, 0)
