"""processMails: each content is analysed once, by whom its owner allowed."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.pipeline import Pipeline, write_newsletter
from tournee.pipeline.importing import ImportRequest
from tournee.pipeline.ports import Analysis, AnalysisRequest, KeyLink, OutsideUnavailable, Rejected
from tournee.pipeline.store.analyses import claim_analysis, drop_claim

TEXT = "One text that a thousand readers receive. " * 8
MINUTE = timedelta(minutes=1)


@pytest.fixture
def same(tmp_path: Path) -> Path:
    """Ten mails with one content."""
    root = tmp_path / "same"
    root.mkdir()
    for number in range(10):
        (root / f"{number}.eml").write_bytes(write_newsletter("Same", body=TEXT) + b"\r\n" * number)
    return root


async def test_one_content_is_analysed_once_however_many_come_at_once(pipeline: Pipeline, same: Path) -> None:
    pipeline.analyser.gate.clear()
    await pipeline.start(concurrency=16)

    def release(_: object) -> None:
        if pipeline.analyser.requests:
            pipeline.analyser.gate.set()

    summary = (await pipeline.importer.run(ImportRequest(same), release)).summary
    assert len(pipeline.analyser.requests) == 1
    assert (summary.newsletters, summary.analysed, summary.cache_hits, summary.failed) == (10, 1, 9, 0)
    assert await pipeline.count("SELECT count(*) FROM news.analysis_claims") == 0


async def test_a_failed_attempt_lets_others_of_its_content_go_on(pipeline: Pipeline, same: Path) -> None:
    def fail_first(_: AnalysisRequest) -> Rejected | None:
        return Rejected("once") if len(pipeline.analyser.requests) == 1 else None

    pipeline.analyser.fault = fail_first
    await pipeline.start()
    summary = (await pipeline.importer.run(ImportRequest(same))).summary
    assert (summary.analysed, summary.cache_hits, summary.invalid, summary.failed) == (1, 9, 0, 1)


async def test_an_outage_parks_the_job_and_uses_no_attempt(pipeline: Pipeline, tmp_path: Path) -> None:
    (tmp_path / "1.eml").write_bytes(write_newsletter("Monday"))

    def be_away(_: AnalysisRequest) -> OutsideUnavailable | None:
        away = len(pipeline.analyser.requests) < 2
        return OutsideUnavailable("mistral", "503", timedelta(milliseconds=100)) if away else None

    pipeline.analyser.fault = be_away
    await pipeline.start()
    summary = (await pipeline.importer.run(ImportRequest(tmp_path))).summary
    assert (summary.analysed, summary.invalid, summary.failed) == (1, 0, 0)
    assert await pipeline.count("SELECT outages FROM engine.jobs WHERE queue = 'processMails'") == 1


async def test_content_goes_outside_only_with_the_owners_consent(pipeline: Pipeline, tmp_path: Path) -> None:
    for name in ("private", "shared"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.eml").write_bytes(write_newsletter("Monday", body=TEXT))
    await pipeline.start()
    await pipeline.importer.run(ImportRequest(tmp_path / "shared", mailbox="shared", consents=True))
    assert (len(pipeline.outside.requests), len(pipeline.analyser.requests)) == (1, 0)
    outcome = await pipeline.importer.run(ImportRequest(tmp_path / "private", mailbox="private"))
    assert (len(pipeline.outside.requests), len(pipeline.analyser.requests)) == (1, 1)
    assert (outcome.summary.analysed, outcome.summary.cache_hits) == (1, 0)


async def test_an_invented_link_is_not_stored(
    pipeline: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "1.eml").write_bytes(write_newsletter("Monday"))

    async def invent(request: AnalysisRequest) -> Analysis:
        links = (KeyLink("https://evil.example/", "click"), KeyLink(request.links[0].url, "real"))
        return Analysis("T", "S", "en", "en", (), (), links, 1, "newsletter")

    monkeypatch.setattr(pipeline.analyser, "analyse", invent)
    await pipeline.start()
    await pipeline.importer.run(ImportRequest(tmp_path))
    stored = await pipeline.pool.fetchval("SELECT key_links FROM news.analyses")
    assert [link["why"] for link in stored] == ["real"]


async def test_a_claim_keeps_others_out_until_it_is_dropped_or_runs_out(pipeline: Pipeline) -> None:
    async with pipeline.pool.acquire() as connection:
        assert await claim_analysis(connection, "key", 1, MINUTE)
        assert await claim_analysis(connection, "key", 1, MINUTE)
        assert not await claim_analysis(connection, "key", 2, MINUTE)
        await drop_claim(connection, "key", 2)
        assert not await claim_analysis(connection, "key", 2, MINUTE)
        await drop_claim(connection, "key", 1)
        assert await claim_analysis(connection, "key", 2, timedelta(0))
        assert await claim_analysis(connection, "key", 3, MINUTE)


async def test_an_erased_newsletter_completes_its_job(pipeline: Pipeline, tmp_path: Path) -> None:
    (tmp_path / "1.eml").write_bytes(write_newsletter("Monday"))
    await pipeline.start(queues=["fetchEmails"])
    importing = asyncio.create_task(pipeline.importer.run(ImportRequest(tmp_path)))

    async def erased() -> bool:
        return await pipeline.pool.execute("DELETE FROM news.messages") == "DELETE 1"

    async def at_rest() -> bool:
        return await pipeline.count_live_jobs() == 0

    await pipeline.wait_until(erased)
    await pipeline.stop()
    await pipeline.start()
    await pipeline.wait_until(at_rest)
    assert await pipeline.count("SELECT count(*) FROM engine.jobs WHERE state <> 'completed' OR attempt > 0") == 0
    assert pipeline.analyser.requests == []
    await asyncio.wait_for(importing, 60)
