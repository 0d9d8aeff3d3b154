"""A pipeline on a fresh database and an empty Valkey."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.pipeline import Pipeline, build_pipeline
from tests.support.pools import make_patient
from tournee.db.pool import open_pool
from tournee.engine.bullmq.broker import BullmqBroker
from tournee.engine.bullmq.settings import BrokerSettings


@pytest.fixture
async def pipeline(database_url: str, redis_url: str) -> AsyncIterator[Pipeline]:
    """Its queues are declared; `start()` lets workers run."""
    pool = await open_pool(make_patient(database_url))
    broker = BullmqBroker(BrokerSettings(redis_url))
    built = build_pipeline(pool, broker)
    try:
        await built.engine.declare()
        yield built
    finally:
        await built.stop()
        await broker.close()
        await pool.close()
