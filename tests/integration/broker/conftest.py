"""A broker on the suite's Valkey, and a plain client to look and act behind its back."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis

from tests.support.broker import Client, MakeBroker
from tests.support.servers import SessionServers
from tournee.engine.bullmq.broker import BullmqBroker
from tournee.engine.bullmq.settings import BrokerSettings


@pytest.fixture
def redis_url(request: pytest.FixtureRequest) -> str:
    """The suite's Valkey, or the server that TOURNEE_TEST_EMPTIED_REDIS_URL names; the latter is emptied too."""
    url = os.environ.get("TOURNEE_TEST_EMPTIED_REDIS_URL")
    if url:
        return url
    servers: SessionServers = request.getfixturevalue("servers")
    return servers.empty_redis()


@pytest.fixture
async def server(redis_url: str) -> AsyncIterator[Client]:
    async with Redis.from_url(redis_url, decode_responses=True) as client:
        await client.flushall()
        yield client


@pytest.fixture
async def make_broker(redis_url: str, server: Client) -> AsyncIterator[MakeBroker]:
    """Makes brokers, closed after the test."""
    brokers: list[BullmqBroker] = []

    def make(url: str = redis_url, **settings: Any) -> BullmqBroker:
        broker = BullmqBroker(BrokerSettings(url, **{"worker_name": "tester", "prune_grace_ms": 0, **settings}))
        brokers.append(broker)
        return broker

    yield make
    for broker in brokers:
        await broker.close()


@pytest.fixture
def broker(make_broker: MakeBroker) -> BullmqBroker:
    return make_broker()
