"""The console over a pipeline on a fresh database and an empty Valkey."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from tests.support.pipeline import Pipeline, build_pipeline
from tests.support.pools import make_patient
from tests.support.web import RunningWeb, import_newsletters, serve_web
from tournee.db.pool import open_pool
from tournee.engine.bullmq.broker import BullmqBroker
from tournee.engine.bullmq.settings import BrokerSettings
from tournee.pipeline.ports import AnalysisRequest, Rejected

DOOMED = "Doomed issue"


@asynccontextmanager
async def open_pipeline(database_url: str, redis_url: str) -> AsyncIterator[Pipeline]:
    """Its queues are declared; `start()` lets workers run. Newsletters whose subject is DOOMED can't be analysed."""
    pool = await open_pool(make_patient(database_url))
    broker = BullmqBroker(BrokerSettings(redis_url))
    built = build_pipeline(pool, broker)
    built.analyser.fault = _refuse_doomed
    try:
        await built.engine.declare()
        yield built
    finally:
        await built.stop()
        await broker.close()
        pool.terminate()


@pytest.fixture
async def pipeline(database_url: str, redis_url: str) -> AsyncIterator[Pipeline]:
    """See `open_pipeline`."""
    async with open_pipeline(database_url, redis_url) as opened:
        yield opened


def _refuse_doomed(request: AnalysisRequest) -> Exception | None:
    return Rejected("the answer has no summary") if request.subject == DOOMED else None


@pytest.fixture
async def web(pipeline: Pipeline) -> AsyncIterator[RunningWeb]:
    """The console, served."""
    async with serve_web(pipeline) as running:
        yield running


@pytest.fixture
async def browser(web: RunningWeb) -> AsyncIterator[httpx.AsyncClient]:
    """A session that came in through the link."""
    async with web.enter() as client:
        yield client


@pytest.fixture
async def program(web: RunningWeb) -> AsyncIterator[httpx.AsyncClient]:
    """A program with the bearer token."""
    async with web.call() as client:
        yield client


@pytest.fixture
async def worked(pipeline: Pipeline, tmp_path: Path) -> Pipeline:
    """Two newsletters went through the pipeline: one was delivered, one is a dead letter."""
    await import_newsletters(pipeline, tmp_path, "Spring garden news", DOOMED)
    return pipeline
