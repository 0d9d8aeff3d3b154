"""Mails to the administrators: one for each incident, whatever the number of its faults."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tournee.db.pool import Pool, PoolSettings, open_pool
from tournee.pipeline.core.emails import compose_notice
from tournee.pipeline.store.notices import NewNotice, insert_notice, load_notice


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    opened = await open_pool(PoolSettings(database_url, max_size=8))
    yield opened
    await opened.close()


async def report(pool: Pool, number: int, incident: str = "newsletter-invalid:ValueError") -> int | None:
    async with pool.acquire() as connection, connection.transaction():
        key = f"newsletter-invalid:{number}:1"
        return await insert_notice(connection, NewNotice(key, incident, f"Invalid: {number}", "Body"))


async def test_a_hundred_faults_of_one_cause_are_three_mails_whoever_reports_them(pool: Pool) -> None:
    mailed = await asyncio.gather(*(report(pool, number) for number in range(100)))
    assert len([notice for notice in mailed if notice is not None]) == 3, "the 1st, the 10th and the 100th"
    ordinals = await pool.fetch("SELECT ordinal FROM news.admin_notices WHERE announced ORDER BY id")
    assert [row["ordinal"] for row in ordinals] == [1, 10, 100]
    assert await pool.fetchval("SELECT count(DISTINCT ordinal) FROM news.admin_notices") == 100


async def test_another_cause_is_another_incident(pool: Pool) -> None:
    assert await report(pool, 1) is not None
    assert await report(pool, 2) is None
    assert await report(pool, 3, "newsletter-invalid:TimeoutError") is not None


async def test_a_fault_that_was_written_down_before_is_neither_counted_nor_told(pool: Pool) -> None:
    assert await report(pool, 1) is not None
    assert await report(pool, 1) is None
    assert await pool.fetchval("SELECT max(ordinal) FROM news.admin_notices") == 1


async def test_after_an_hour_of_quiet_it_is_a_new_incident(pool: Pool) -> None:
    await report(pool, 1)
    await pool.execute("UPDATE news.admin_notices SET created_at = now() - interval '61 minutes'")
    assert await report(pool, 2) is not None
    assert await pool.fetchval("SELECT ordinal FROM news.admin_notices ORDER BY id DESC LIMIT 1") == 1


async def test_what_goes_on_is_told_again_after_six_hours(pool: Pool) -> None:
    await report(pool, 1)
    await report(pool, 2)
    await pool.execute("UPDATE news.admin_notices SET created_at = now() - interval '7 hours' WHERE ordinal = 1")
    assert await report(pool, 3) is not None
    assert await report(pool, 4) is None


async def test_the_mail_says_how_often_since_when_and_where(pool: Pool) -> None:
    first = await report(pool, 41)
    await report(pool, 42)
    assert first is not None
    async with pool.acquire() as connection:
        stored = await load_notice(connection, first)
    assert stored is not None
    mail = compose_notice(stored.notice, "ann@example.org", "host", "http://127.0.0.1:8420/")
    assert mail.text.startswith("2 such faults since ")
    assert mail.text.endswith("In the console: http://127.0.0.1:8420/jobs/41\n")
