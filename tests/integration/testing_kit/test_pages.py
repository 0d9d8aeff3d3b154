"""The code of docs/how-to/limit-a-queue.md and schedules.md, run as it stands there, on the real ledger."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tournee.db.pool import Pool, PoolSettings, open_pool
from tournee.engine.client import Engine
from tournee.engine.testing import build_engine, drain, fire

PAGES = Path(__file__).parents[3] / "docs" / "how-to"


async def open_page(page: str, pool: Pool) -> tuple[Engine, dict[str, Any]]:
    """An engine with the registry that the page's code makes, and all names of that code."""
    [code] = re.findall(r"```python\n(.*?)```", (PAGES / page).read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, Any] = {"__name__": "page"}
    exec(compile(code, page, "exec", dont_inherit=True), names)
    engine = build_engine(pool, names["registry"])
    await engine.declare()
    return engine, names


async def test_the_limits_of_the_page_are_in_the_ledger(database_url: str) -> None:
    pool = await open_pool(PoolSettings(database_url))
    try:
        await open_page("limit-a-queue.md", pool)
        [queue] = await pool.fetch("SELECT * FROM engine.queues")
        limits = {name: value for name, value in queue.items() if name != "name"}
        assert queue["name"] == "countWords"
        assert {20, 2, 100, 5, timedelta(minutes=1), timedelta(seconds=1)} <= set(limits.values())
    finally:
        await pool.close()


async def test_the_schedule_of_the_page_makes_its_job(database_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    pool = await open_pool(PoolSettings(database_url))
    try:
        engine, names = await open_page("schedules.md", pool)
        instant = datetime(2026, 3, 29, 3, 30, tzinfo=ZoneInfo("Europe/Berlin"))
        await fire(engine, "nightly-report", instant)
        (await drain(engine)).require_success()
        assert await pool.fetchval("SELECT key FROM engine.jobs") == "nightly-report@2026-03-29T01:30:00Z"
        assert names["BuildReport"](day=date(2026, 3, 29)).key() == "2026-03-29"
    finally:
        await pool.close()
    assert capsys.readouterr().out == "the report of 2026-03-29\n"
