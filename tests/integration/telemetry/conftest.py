"""A pipeline that is measured as bootstrap measures it, and traced to a receiver of the test's own."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.support.otlp import Receiver, open_receiver
from tests.support.pipeline import Pipeline, build_pipeline
from tests.support.pools import make_patient
from tournee.bootstrap.telemetry import Telemetry, open_telemetry
from tournee.db.pool import open_pool
from tournee.engine.bullmq.broker import BullmqBroker
from tournee.engine.bullmq.settings import BrokerSettings
from tournee.settings import Settings


@pytest.fixture(autouse=True)
def no_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody traces unless a test says so, and nothing goes through a proxy."""
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("NO_PROXY", "*")


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """Where spans go; the endpoint is set."""
    with open_receiver() as opened:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", opened.url)
        yield opened


@pytest.fixture
def mails(tmp_path: Path) -> Path:
    """An empty folder for what is imported."""
    folder = tmp_path / "mails"
    folder.mkdir()
    return folder


@pytest.fixture
async def telemetry(tmp_path: Path) -> AsyncIterator[Telemetry]:
    """Of a process in a home of its own."""
    async with open_telemetry(Settings(home=tmp_path / "home"), "test") as opened:
        yield opened


def is_known(_kind: str) -> bool:
    return True


@pytest.fixture
async def pipeline(database_url: str, redis_url: str, telemetry: Telemetry) -> AsyncIterator[Pipeline]:
    """Measured; its queues are declared, `start()` lets workers run."""
    pool = await open_pool(make_patient(database_url))
    broker = BullmqBroker(BrokerSettings(redis_url))
    built = build_pipeline(pool, broker, telemetry.observe_engine(is_known), telemetry.wrap_ports)
    telemetry.watch(pool, built.engine)
    try:
        await built.engine.declare()
        yield built
    finally:
        await built.stop()
        await broker.close()
        pool.terminate()
