"""The example of docs/how-to/test-your-handlers.md, run as it stands there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from tournee.db.pool import PoolSettings, open_pool
from tournee.engine.client import Engine, Job, Payload, ProviderUnavailable, Registry
from tournee.engine.testing import (
    RunOutcome,
    advance,
    assert_enqueued,
    assert_not_enqueued,
    build_engine,
    drain,
)

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "test-your-handlers.md"

# --- from here on as on the page


class Welcome(Payload, queue="welcome", kind="welcome"):
    """Greets a new reader."""

    reader: str

    def key(self) -> str:
        return self.reader


class Remind(Payload, queue="welcome", kind="remind"):
    """Asks a week later."""

    reader: str

    def key(self) -> str:
        return f"{self.reader}:reminder"


class Outbox:
    """What your handler talks to; yours is a client of a real provider."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.away = False

    async def send(self, reader: str) -> None:
        if self.away:
            raise ProviderUnavailable("smtp", "no route")
        self.sent.append(reader)


def build_registry(outbox: Outbox) -> Registry:
    async def welcome(job: Job[Welcome]) -> None:
        await outbox.send(job.payload.reader)
        async with job.transaction() as tx:
            await tx.enqueue(Remind(reader=job.payload.reader), delay=timedelta(days=7))

    async def remind(job: Job[Remind]) -> None:
        await outbox.send(job.payload.reader)

    registry = Registry()
    registry.declare_queue("welcome", provider="smtp")
    registry.add(Welcome, welcome)
    registry.add(Remind, remind, effect_free=True)
    return registry


@pytest.fixture
def outbox() -> Outbox:
    return Outbox()


@pytest.fixture
async def engine(database_url: str, outbox: Outbox) -> AsyncIterator[Engine]:
    """`database_url`: an empty database that `tournee.db.migrations.migrate` was run on."""
    pool = await open_pool(PoolSettings(database_url))
    engine = build_engine(pool, build_registry(outbox))
    await engine.declare()
    yield engine
    await pool.close()


async def test_a_reader_is_greeted_and_reminded_a_week_later(engine: Engine, outbox: Outbox) -> None:
    async with engine.transaction() as tx:
        await tx.enqueue(Welcome(reader="ann"))
        await assert_enqueued(tx, Welcome, {"reader": "ann"}, count=1)  # before the commit, too

    report = await drain(engine)

    report.require_success()
    assert outbox.sent == ["ann"]
    await assert_not_enqueued(engine, Welcome)
    [reminder] = await assert_enqueued(engine, Remind, lambda remind: remind.reader.startswith("a"))
    assert reminder.reader == "ann"

    await advance(engine, timedelta(days=7))
    await drain(engine)
    assert outbox.sent == ["ann", "ann"]


async def test_an_outage_costs_no_attempt(engine: Engine, outbox: Outbox) -> None:
    async with engine.transaction() as tx:
        await tx.enqueue(Welcome(reader="ann"))
    outbox.away = True

    report = await drain(engine)

    assert [run.outcome for run in report.runs] == [RunOutcome.PARKED]
    [job] = report.left
    assert (job.attempt, job.outages) == (0, 1)

    outbox.away = False
    await advance(engine, timedelta(minutes=10))
    (await drain(engine)).require_success()
    assert outbox.sent == ["ann"]


# --- to here


def test_the_page_shows_exactly_this() -> None:
    body = Path(__file__).read_text(encoding="utf-8")
    shown = body.partition("# --- from here on as on the page\n")[2].partition("# --- to here\n")[0].strip()
    assert f"```python\n{shown}\n```" in PAGE.read_text(encoding="utf-8")
