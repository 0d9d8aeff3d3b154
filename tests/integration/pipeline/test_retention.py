"""Raw mail is kept for its time and not longer; what was read in it stays."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.pipeline import Pipeline, write_letter, write_newsletter
from tournee.pipeline import retention
from tournee.pipeline.importing import ImportRequest
from tournee.pipeline.retention import prune_raw

COUNT_RAW = "SELECT count(*) FROM news.messages WHERE raw IS NOT NULL"
COUNT_STAGED = "SELECT count(*) FROM news.staged_mails"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "mails"
    root.mkdir()
    for number in range(5):
        (root / f"{number}.eml").write_bytes(write_newsletter(f"Edition {number}"))
    (root / "letter.eml").write_bytes(write_letter("lunch"))
    return root


@pytest.fixture
async def imported(pipeline: Pipeline, folder: Path) -> Pipeline:
    await pipeline.start()
    await pipeline.importer.run(ImportRequest(folder))
    return pipeline


async def expire(pipeline: Pipeline, subject: str = "%") -> None:
    await pipeline.pool.execute(
        "UPDATE news.messages SET raw_kept_until = now() - interval '1 s' WHERE subject LIKE $1", subject
    )


async def finish_long_ago(pipeline: Pipeline) -> None:
    await pipeline.pool.execute("UPDATE news.imports SET finished_at = finished_at - $1::interval", timedelta(days=2))


async def test_raw_mail_is_kept_until_its_date(imported: Pipeline) -> None:
    row = await imported.fetch_row("SELECT min(raw_kept_until - received_at) AS kept FROM news.messages")
    assert row["kept"] >= timedelta(days=89, hours=23)
    assert await prune_raw(imported.pool) == 0
    assert await imported.count(COUNT_RAW) == 6


async def test_raw_mail_past_its_date_goes_and_what_was_read_stays(imported: Pipeline) -> None:
    await expire(imported, "Edition%")
    assert await prune_raw(imported.pool) == 5
    assert await imported.count(COUNT_RAW) == 1
    assert await imported.count("SELECT count(*) FROM news.newsletters WHERE text <> '' AND state = 'indexed'") == 5
    assert await prune_raw(imported.pool) == 0


async def test_a_run_takes_small_batches_and_a_bounded_number(
    imported: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    monkeypatch.setattr(retention, "BATCHES", 2)
    await expire(imported)
    assert [await prune_raw(imported.pool) for _ in range(3)] == [4, 2, 0]


async def test_a_message_that_somebody_works_on_is_left_to_the_next_run(imported: Pipeline) -> None:
    await expire(imported)
    async with imported.pool.acquire() as connection, connection.transaction():
        await connection.fetchval("SELECT id FROM news.messages WHERE subject = 'Edition 3' FOR UPDATE")
        assert await prune_raw(imported.pool) == 5
    assert await prune_raw(imported.pool) == 1


async def test_staged_rows_go_a_day_after_their_import_and_a_second_import_knows_the_mails(
    imported: Pipeline, folder: Path
) -> None:
    assert await prune_raw(imported.pool) == 0
    await finish_long_ago(imported)
    assert await prune_raw(imported.pool) == 6
    assert await imported.count(COUNT_STAGED) == 0
    again = (await imported.importer.run(ImportRequest(folder))).summary
    assert (again.messages, again.duplicates, again.lost) == (0, 6, 0)


async def test_staged_bytes_that_are_not_stored_yet_are_kept(pipeline: Pipeline, folder: Path) -> None:
    await pipeline.start()
    await pipeline.importer.run(ImportRequest(folder / "0.eml"))
    await finish_long_ago(pipeline)
    await pipeline.pool.execute("UPDATE news.staged_mails SET raw = 'bytes'")
    assert await prune_raw(pipeline.pool) == 0
    assert await pipeline.count(COUNT_STAGED) == 1
