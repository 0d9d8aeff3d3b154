"""PostgreSQL and Valkey killed and stopped while an alert thread runs, and while the program's loop hangs."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.support.alerts import KeepingChannel
from tests.support.servers import SessionServers
from tests.support.waiting import wait_until
from tournee.alerts import CONDITIONS, Alerts, AlertSettings, conditions
from tournee.alerts.detectors import Detector, DetectorSettings
from tournee.alerts.ports import Probe
from tournee.alerts.probes import PostgresqlProbe, RedisProbe
from tournee.alerts.service import Channels
from tournee.kit.ports import find_free_port

QUICK = DetectorSettings(interval_seconds=0.2, timeout_seconds=1.0, pause_seconds=0.1)
SILENT = DetectorSettings(interval_seconds=0.2, timeout_seconds=1.0, pause_seconds=0.1, tells=False)


@contextmanager
def watching(
    condition: str, probe: Probe, settings: DetectorSettings = QUICK, **more: object
) -> Iterator[tuple[Alerts, KeepingChannel, Detector]]:
    channel = KeepingChannel()
    detectors: list[Detector] = []

    def make() -> list[Detector]:
        detectors.append(Detector(CONDITIONS[condition], condition, probe, settings))
        return detectors

    chosen = AlertSettings(**{"quiet_start_seconds": 0.0, "production": True, **more})  # type: ignore[arg-type]
    alerts = Alerts(chosen, Channels(lambda: channel), make)
    alerts.start()
    try:
        deadline = time.monotonic() + 60
        while not detectors or not detectors[0].looks:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        yield alerts, channel, detectors[0]
    finally:
        alerts.stop(1.0)


def choose(servers: SessionServers, store: str) -> tuple[str, Probe, int]:
    if store == "database-down":
        assert servers.postgresql.pid is not None
        return store, PostgresqlProbe(servers.postgresql.url), servers.postgresql.pid
    assert servers.valkey.pid is not None
    return store, RedisProbe(servers.valkey.url), servers.valkey.pid


@pytest.mark.parametrize("store", [conditions.DATABASE_DOWN, conditions.REDIS_DOWN])
async def test_a_stopped_server_is_told_of_and_then_that_it_is_back(
    servers: SessionServers, redis_url: str, database_url: str, store: str
) -> None:
    condition, probe, pid = choose(servers, store)
    with watching(condition, probe) as (_, channel, _detector):
        os.kill(pid, signal.SIGSTOP)
        try:
            await wait_until(lambda: channel.said == [f"{store} opened"])
        finally:
            os.kill(pid, signal.SIGCONT)
        await wait_until(lambda: channel.said == [f"{store} opened", f"{store} ended"])
    assert dict(channel.told[0].fields)["Error"] == "TimeoutError"
    assert channel.told[1].text.startswith("Lasted: ")


@pytest.mark.parametrize("store", [conditions.DATABASE_DOWN, conditions.REDIS_DOWN])
async def test_a_killed_server_is_told_of_and_then_that_it_is_back(
    servers: SessionServers, redis_url: str, database_url: str, store: str
) -> None:
    condition, probe, _ = choose(servers, store)
    server = servers.postgresql if store == conditions.DATABASE_DOWN else servers.valkey
    with watching(condition, probe) as (_, channel, _detector):
        await server.kill()
        await wait_until(lambda: channel.said == [f"{store} opened"])
        await server.start()
        await wait_until(lambda: channel.said == [f"{store} opened", f"{store} ended"])


@pytest.mark.parametrize("store", [conditions.DATABASE_DOWN, conditions.REDIS_DOWN])
async def test_a_server_that_is_down_at_the_start_is_told_of(store: str) -> None:
    port = find_free_port()
    probe: Probe = PostgresqlProbe(f"postgresql://u:p@127.0.0.1:{port}/d")
    if store == conditions.REDIS_DOWN:
        probe = RedisProbe(f"redis://127.0.0.1:{port}")
    with watching(store, probe) as (_, channel, _detector):
        await wait_until(lambda: channel.said == [f"{store} opened"])


def test_it_is_told_while_the_programs_event_loop_is_blocked(servers: SessionServers, redis_url: str) -> None:
    condition, probe, pid = choose(servers, conditions.REDIS_DOWN)

    async def block_the_loop(channel: KeepingChannel) -> None:
        os.kill(pid, signal.SIGSTOP)
        try:
            deadline = time.monotonic() + 60
            while not channel.said and time.monotonic() < deadline:
                time.sleep(0.01)  # noqa: ASYNC251 - that is the point
        finally:
            os.kill(pid, signal.SIGCONT)

    with watching(condition, probe) as (_, channel, _detector):
        asyncio.run(block_the_loop(channel))
        assert channel.said == ["redis-down opened"]


async def test_errors_of_a_database_that_is_down_are_swallowed_and_counted(
    servers: SessionServers, database_url: str
) -> None:
    condition, probe, pid = choose(servers, conditions.DATABASE_DOWN)
    with watching(condition, probe) as (alerts, channel, _detector):
        os.kill(pid, signal.SIGSTOP)
        try:
            for _ in range(30):
                # They come before the detector can know: each is held until it does.
                alerts.monitor.record_response(500, {"method": "GET", "path": "/x"})
            await wait_until(lambda: bool(channel.said))
        finally:
            os.kill(pid, signal.SIGCONT)
        await wait_until(lambda: len(channel.said) == 2)
    assert channel.said == ["database-down opened", "database-down ended"]
    assert dict(channel.told[1].fields)["Errors it explains"] == "30"


async def test_who_does_not_tell_of_a_store_still_knows_what_its_fall_explains(
    servers: SessionServers, database_url: str
) -> None:
    condition, probe, pid = choose(servers, conditions.DATABASE_DOWN)
    with watching(condition, probe, SILENT) as (alerts, channel, detector):
        looks = detector.looks
        os.kill(pid, signal.SIGSTOP)
        try:
            alerts.monitor.record_response(500, {"method": "GET", "path": "/x"})
            await wait_until(lambda: alerts.snapshot().monitor.suppressed.get("explained") == 1)
        finally:
            os.kill(pid, signal.SIGCONT)
        await wait_until(lambda: not detector.down)
        assert looks == 1, "it looks when an error makes it wonder"
    assert channel.said == []


async def test_an_error_that_the_database_does_not_explain_is_told_at_once(
    servers: SessionServers, database_url: str
) -> None:
    condition, probe, _ = choose(servers, conditions.DATABASE_DOWN)
    slow = DetectorSettings(interval_seconds=600)
    with watching(condition, probe, slow, hold_seconds=600.0) as (alerts, channel, _detector):
        alerts.monitor.record_response(500, {"method": "GET", "path": "/x"})
        await wait_until(lambda: channel.said == ["error-500 opened"])


async def test_a_server_without_a_free_connection_is_not_down(servers: SessionServers, database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(f"ALTER DATABASE {urlsplit(database_url).path[1:]} CONNECTION LIMIT 1")
        with pytest.raises(asyncpg.TooManyConnectionsError):
            await asyncpg.connect(database_url)
        await PostgresqlProbe(database_url).look()
    finally:
        await connection.close()
