"""Metrics as a scraper gets them: over the API, on a port, with stores away, and what never stands in them."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from tests.support.pipeline import Pipeline, write_newsletter
from tests.support.servers import SessionServers
from tests.support.web import RunningWeb, serve_web
from tournee.bootstrap.telemetry import Telemetry, open_telemetry, read_token
from tournee.kit.ports import find_free_port, is_port_free
from tournee.pipeline.importing import ImportRequest
from tournee.pipeline.ports import AnalysisRequest, Rejected
from tournee.settings import Settings
from tournee.telemetry.catalogue import METRICS, Kind
from tournee.telemetry.exposition import MetricsServer

Figures = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def read_figures(text: str) -> Figures:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def pick(figures: Figures, name: str, **labels: str) -> float:
    """The sum of what has this name and these labels."""
    found = [value for (own, tags), value in figures.items() if own == name and labels.items() <= dict(tags).items()]
    assert found, f"{name} {labels} is not there"
    return sum(found)


@asynccontextmanager
async def serve(pipeline: Pipeline, telemetry: Telemetry) -> AsyncIterator[RunningWeb]:
    """The API with metrics, as bootstrap serves it."""
    async with (
        telemetry.tell_of_system(pipeline.engine, pipeline.pool),
        serve_web(
            pipeline, watch=telemetry.watch_requests, metrics=telemetry.exposition, metrics_token=telemetry.token
        ) as web,
    ):
        yield web


async def scrape(web: RunningWeb, telemetry: Telemetry) -> Figures:
    async with web.open_client(headers={"authorization": f"Bearer {telemetry.token}"}) as client:
        answer = await client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return read_figures(answer.text)


async def run_import(pipeline: Pipeline, folder: Path, *subjects: str) -> None:
    for number, subject in enumerate(subjects):
        (folder / f"{number}.eml").write_bytes(write_newsletter(subject))
    await pipeline.start()
    await pipeline.importer.run(ImportRequest(folder, "import", notifies=True))


def refuse_doomed(request: AnalysisRequest) -> Exception | None:
    return Rejected("no summary") if request.subject == "Doomed" else None


async def test_an_import_shows_in_every_figure_it_should(pipeline: Pipeline, telemetry: Telemetry, mails: Path) -> None:
    pipeline.analyser.fault = refuse_doomed
    await run_import(pipeline, mails, "Gardens", "Bridges", "Doomed")
    # A run is counted after its commit, which is what an import waits for.
    await pipeline.stop()
    async with serve(pipeline, telemetry) as web:
        figures = await scrape(web, telemetry)

    runs = {"queue": "processMails", "kind": "analyse-newsletter"}
    assert pick(figures, "tournee_jobs_enqueued_total", **runs) == 3
    assert pick(figures, "tournee_jobs_dispatched_total", queue="processMails") == 5
    assert pick(figures, "tournee_jobs_started_total", **runs) == 5
    assert pick(figures, "tournee_job_runs_total", outcome="completed", **runs) == 2
    assert pick(figures, "tournee_job_runs_total", outcome="retried", **runs) == 2
    assert pick(figures, "tournee_job_runs_total", outcome="dead", **runs) == 1
    assert pick(figures, "tournee_jobs_dead_total", **runs) == 1
    assert pick(figures, "tournee_job_attempts_count", **runs) == 3
    assert pick(figures, "tournee_job_attempts_sum", **runs) == 1 + 1 + 3
    assert pick(figures, "tournee_job_wait_seconds_count", **runs) == 5
    assert pick(figures, "tournee_job_run_seconds_count", **runs) == 5
    assert pick(figures, "tournee_dispatch_latency_seconds_count", queue="processMails") == 5
    assert pick(figures, "tournee_provider_call_seconds_count", call="analyse", outcome="ok") == 2
    assert pick(figures, "tournee_provider_call_seconds_count", call="analyse", outcome="rejected") == 3
    assert pick(figures, "tournee_ledger_jobs", queue="processMails", state="completed") == 2
    assert pick(figures, "tournee_ledger_jobs", queue="processMails", state="dead") == 1
    assert pick(figures, "tournee_drift_jobs") == 0
    assert pick(figures, "tournee_newsletters", state="indexed") == 2
    assert pick(figures, "tournee_newsletters", state="invalid") == 1
    assert pick(figures, "tournee_analyses_total") == 2
    assert pick(figures, "tournee_up", store="postgresql") == pick(figures, "tournee_up", store="redis") == 1
    assert 0 < pick(figures, "tournee_time_to_search_seconds", quantile="0.5") < 300


async def test_every_name_and_label_is_one_of_the_catalogue_and_tells_of_nobody(
    pipeline: Pipeline, telemetry: Telemetry, mails: Path
) -> None:
    await run_import(pipeline, mails, "Gardens")
    async with serve(pipeline, telemetry) as web:
        figures = await scrape(web, telemetry)
        await scrape(web, telemetry)
    known = {metric.name: {*metric.labels} for metric in METRICS if metric.kind is not Kind.HISTOGRAM}
    for metric in METRICS:
        if metric.kind is Kind.HISTOGRAM:
            known |= {f"{metric.name}_{part}": {*metric.labels} for part in ("count", "sum")}
            known[f"{metric.name}_bucket"] = {*metric.labels, "le"}
    for name, tags in figures:
        if not name.startswith("process_"):
            assert {label for label, _ in tags} == known[name], name
    values = {value for _, tags in figures for _, value in tags}
    assert not any("@" in value or "example" in value or "Gardens" in value for value in values)
    assert not any(value.startswith(("j1-", "/")) for value in values - {"/metrics"})


async def test_metrics_open_to_their_own_token_and_the_consoles_and_to_nothing_else(
    pipeline: Pipeline, telemetry: Telemetry
) -> None:
    async with serve(pipeline, telemetry) as web:
        async with web.open_client() as stranger:
            assert (await stranger.get("/metrics")).status_code == 401
            wrong = {"authorization": "Bearer " + "x" * 32}
            assert (await stranger.get("/metrics", headers=wrong)).status_code == 401
            own = {"authorization": f"Bearer {telemetry.token}"}
            assert (await stranger.get("/metrics", headers=own)).status_code == 200
            # Whoever scrapes may read figures, and neither mails nor jobs.
            assert (await stranger.get("/api/status", headers=own)).status_code == 401
            rebound = {**own, "host": "attacker.example"}
            assert (await stranger.get("/metrics", headers=rebound)).status_code == 421
        async with web.call() as program:
            assert (await program.get("/metrics")).status_code == 200


@pytest.mark.parametrize("how", [signal.SIGSTOP, signal.SIGKILL])
@pytest.mark.parametrize("store", ["postgresql", "redis"])
async def test_a_scrape_answers_while_a_store_hangs_or_is_gone(
    pipeline: Pipeline, telemetry: Telemetry, servers: SessionServers, store: str, how: signal.Signals
) -> None:
    other = {"postgresql": "redis", "redis": "postgresql"}[store]
    server = servers.postgresql if store == "postgresql" else servers.valkey
    async with serve(pipeline, telemetry) as web:
        assert pick(await scrape(web, telemetry), "tournee_up") == 2
        if how is signal.SIGKILL:
            await server.kill()
        else:
            pause(server.pid)
        try:
            figures = await scrape(web, telemetry)
            assert pick(figures, "tournee_up", store=store) == 0
            assert pick(figures, "tournee_up", store=other) == 1
            assert pick(figures, "tournee_event_loop_lag_seconds_count") >= 0
            missing = "tournee_ledger_jobs" if store == "postgresql" else "tournee_redis_jobs"
            assert missing not in {name for name, _ in figures}, "old figures would pass for new ones"
        finally:
            if how is signal.SIGKILL:
                await server.start()
            else:
                wake(server.pid)
        await wait_until_up(web, telemetry)


def pause(pid: int | None) -> None:
    assert pid is not None
    for one in list_family(pid):
        os.kill(one, signal.SIGSTOP)


def wake(pid: int | None) -> None:
    assert pid is not None
    for one in list_family(pid):
        os.kill(one, signal.SIGCONT)


def list_family(pid: int) -> list[int]:
    return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]


async def wait_until_up(web: RunningWeb, telemetry: Telemetry) -> None:
    deadline = time.monotonic() + 60
    while pick(await scrape(web, telemetry), "tournee_up") < 2:
        assert time.monotonic() < deadline, "it did not come back"


async def test_scrapes_at_once_make_one_look(pipeline: Pipeline, telemetry: Telemetry) -> None:
    looks = 0
    async with serve(pipeline, telemetry) as web:
        read = pipeline.engine.store.read_workers

        async def read_counted() -> object:
            nonlocal looks
            looks += 1
            return await read()

        pipeline.engine.store.read_workers = read_counted  # type: ignore[assignment, method-assign]
        await asyncio.gather(*(scrape(web, telemetry) for _ in range(10)))
    assert looks == 1


async def test_tasks_that_wait_for_a_connection_are_counted(pipeline: Pipeline, telemetry: Telemetry) -> None:
    pool = pipeline.pool
    held = [await pool.acquire() for _ in range(pool.get_max_size())]
    waiting = asyncio.create_task(pool.fetchval("SELECT 1"))
    await asyncio.sleep(0)
    text = (await telemetry.exposition.render(""))[0].decode()
    figures = read_figures(text)
    assert pick(figures, "tournee_pool_waiting") == 1
    assert pick(figures, "tournee_pool_connections", state="used") == pool.get_max_size()
    for connection in held:
        await pool.release(connection)
    assert await waiting == 1


async def test_the_port_answers_only_to_the_token_and_also_while_the_event_loop_is_stuck(telemetry: Telemetry) -> None:
    server = MetricsServer(telemetry.exposition, telemetry.token, "127.0.0.1", find_free_port())
    url = f"http://127.0.0.1:{server.port}/metrics"

    def ask(headers: dict[str, str], path: str = url) -> int:
        return httpx.get(path, headers=headers, trust_env=False, timeout=30).status_code

    own = {"authorization": f"Bearer {telemetry.token}"}
    try:
        assert await asyncio.to_thread(ask, {}) == 401
        assert await asyncio.to_thread(ask, {"authorization": f"Basic {telemetry.token}"}) == 401
        assert await asyncio.to_thread(ask, own, url.replace("/metrics", "/")) == 404
        # Called in the loop, which is stuck until the answer comes.
        assert ask(own) == 200
    finally:
        await server.stop()


async def test_processes_of_one_home_share_a_token_that_only_its_user_can_read(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    tokens = await asyncio.gather(*(asyncio.to_thread(read_token, settings) for _ in range(8)))
    assert len(set(tokens)) == 1
    assert len(tokens[0]) >= 32
    kept = settings.home / "run" / "metrics.token"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in kept.parent.iterdir()] == ["metrics.token"]


async def test_a_port_that_is_set_is_served_for_as_long_as_the_process_works(tmp_path: Path) -> None:
    port = find_free_port()
    settings = Settings(home=tmp_path / "home", metrics_port=port, metrics_token=SecretStr("t" * 16))
    async with (
        open_telemetry(settings, "test"),
        httpx.AsyncClient(trust_env=False, headers={"authorization": f"Bearer {'t' * 16}"}, timeout=60) as client,
    ):
        answer = await client.get(f"http://127.0.0.1:{port}/metrics")
        assert "tournee_event_loop_lag_seconds_count" in answer.text
    assert is_port_free(port)


async def test_requests_are_counted_by_route_and_never_by_path(pipeline: Pipeline, telemetry: Telemetry) -> None:
    async with serve(pipeline, telemetry) as web:
        async with web.call() as program:
            for job in (1, 2, 3):
                assert (await program.get(f"/api/jobs/{job}")).status_code == 404
            await program.get("/no/such/path/4711")
            await program.request("BREW", "/healthz")
        figures = await scrape(web, telemetry)
    assert pick(figures, "tournee_http_requests_total", route="/api/jobs/{job_id}", status="404") == 3
    assert pick(figures, "tournee_http_requests_total", route="unmatched") >= 1
    assert pick(figures, "tournee_http_requests_total", method="other") == 1
