"""Which handler runs which kind."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.support.engine import Bulk, FollowUp, Work
from tournee.engine.core.job import QueueName
from tournee.engine.registry import Registry


async def handle(_job: object) -> None:
    """Does nothing."""


def test_two_handlers_for_one_kind_are_refused() -> None:
    registry = Registry()
    registry.add(Work, handle)

    with pytest.raises(ValueError, match="already has the handler"):
        registry.add(Work, handle)


def test_a_handler_declares_its_queue_and_keeps_what_was_declared_of_it() -> None:
    registry = Registry()
    registry.declare_queue("work", priority="high", provider="shop")
    registry.add(Work, handle)
    registry.add(Bulk, handle)

    assert [(queue.name, queue.priority, queue.provider) for queue in registry.queues] == [
        ("work", "high", "shop"),
        ("bulk", "medium", None),
    ]


def test_attempts_are_set_for_known_queues_only() -> None:
    registry = Registry()
    registry.add(Work, handle)
    registry.set_max_attempts({"work": 7, "elsewhere": 9})

    assert [(queue.name, queue.max_attempts) for queue in registry.queues] == [("work", 7)]


def test_an_unknown_kind_has_no_handler_and_no_hooks() -> None:
    registry = Registry()

    assert registry.find("work") is None
    assert registry.find_death_hook("work") is None
    assert registry.find_redrive_hook("work") is None
    assert registry.find_cancel_hook("work") is None


def test_the_longest_time_limit_of_a_queue_counts() -> None:
    registry = Registry()
    registry.add(Work, handle, time_limit=timedelta(seconds=5))
    registry.add(FollowUp, handle, time_limit=timedelta(hours=1))

    assert registry.longest_time_limit(QueueName("work")) == timedelta(seconds=5)
    assert registry.longest_time_limit(QueueName("elsewhere")) == timedelta(minutes=2)
