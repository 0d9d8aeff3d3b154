"""How long search waits, as the ledger of a real pipeline says, and what explains it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.support.alerts import make_bench
from tests.support.pipeline import Pipeline, write_newsletter
from tests.support.web import import_newsletters
from tests.support.web_fixtures import DOOMED, pipeline
from tournee.alerts.engine_watch import LATE_LOOKS, LedgerWatch
from tournee.bootstrap.alerting import read_search_wait
from tournee.engine.client import Operator
from tournee.pipeline.importing import ImportRequest
from tournee.pipeline.store.freshness import read_longest_wait
from tournee.pipeline.store.sql import SQL

__all__ = ["pipeline"]

OPERATOR = Operator("test", "why not")
AGE_ALL = "UPDATE news.newsletters SET created_at = created_at - interval '10 minutes'"
SET_BREAKER = "UPDATE engine.providers SET state = $2, retry_at = now() + interval '1 hour' WHERE name = $1"


async def test_a_newsletter_that_nobody_analyses_is_told_as_late_until_it_is_searchable(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    told = make_bench()
    watch = LedgerWatch(told.alerts.monitor)

    async def look() -> None:
        wait = await read_search_wait(pipeline.engine, pipeline.pool)
        for _ in range(LATE_LOOKS):
            watch.look(await pipeline.engine.read_providers(), 0, wait)
            await told.step(2.0)

    await look()
    pipeline.analyser.gate.clear()
    await pipeline.start()
    importing = asyncio.create_task(import_newsletters(pipeline, tmp_path, "Slow issue"))
    await pipeline.wait_until(lambda: is_stored(pipeline))
    await pipeline.pool.execute(AGE_ALL)
    await look()
    assert told.discord.said == ["search-late opened"]
    assert dict(told.discord.told[0].fields)["The oldest waits for"].startswith("10 min")
    pipeline.analyser.gate.set()
    await importing
    await look()
    assert told.discord.said == ["search-late opened", "search-late ended"]


async def test_a_pause_or_a_breaker_on_the_way_explains_the_wait_and_no_other_does(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    async def is_explained() -> bool:
        wait = await read_search_wait(pipeline.engine, pipeline.pool)
        assert wait.seconds >= 600.0
        return wait.explained

    await store_one(pipeline, tmp_path)
    assert not await is_explained()
    for queue, explains in (("indexNews", True), ("processMails", True), ("sendNotifications", False)):
        await pipeline.engine.pause(queue, OPERATOR)
        assert await is_explained() is explains
        await pipeline.engine.resume(queue, OPERATOR)
    for provider, explains in (("mistral", True), ("meilisearch", True), ("smtp", False)):
        for state in ("open", "half-open"):
            assert await pipeline.pool.execute(SET_BREAKER, provider, state) == "UPDATE 1"
            assert await is_explained() is explains
        await pipeline.pool.execute(SET_BREAKER, provider, "closed")
    assert not await is_explained()


async def test_what_was_given_up_waits_for_nothing_until_it_is_redriven(pipeline: Pipeline, tmp_path: Path) -> None:
    await pipeline.start()
    await import_newsletters(pipeline, tmp_path, DOOMED)
    assert await pipeline.count("SELECT count(*) FROM news.newsletters WHERE state = 'invalid'") == 1
    assert await read_longest_wait(pipeline.pool) == 0.0
    await pipeline.engine.pause("processMails", OPERATOR)
    dead = await pipeline.count("SELECT id FROM engine.jobs WHERE state = 'dead'")
    await pipeline.engine.redrive([dead], OPERATOR)
    assert await read_longest_wait(pipeline.pool) > 0.0


async def test_the_wait_is_one_look_into_an_index(pipeline: Pipeline) -> None:
    async with pipeline.pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL enable_seqscan = off")
        plan = await connection.fetch(f"EXPLAIN {SQL.read_longest_wait}")
    assert "newsletters_by_waiting" in str(plan)


async def is_stored(pipeline: Pipeline) -> bool:
    return await pipeline.count("SELECT count(*) FROM news.newsletters") > 0


async def store_one(pipeline: Pipeline, folder: Path) -> None:
    """One newsletter that nobody analyses, ten minutes ago."""
    (folder / "one.eml").write_bytes(write_newsletter("Slow issue"))
    await pipeline.start(["fetchEmails"])
    importing = asyncio.create_task(pipeline.importer.run(ImportRequest(folder, "import", notifies=True)))
    await pipeline.wait_until(lambda: is_stored(pipeline))
    importing.cancel()
    await asyncio.wait({importing})
    await pipeline.stop()
    await pipeline.pool.execute(AGE_ALL)
