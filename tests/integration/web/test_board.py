"""The Bull Board sidecar: reached through the proxy only, read-only, tied to its parent, missed by nobody."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.support.pipeline import Pipeline
from tests.support.servers import SessionServers
from tests.support.web import HTML, RunningWeb, serve_web
from tournee.web.board_install import BoardUnavailable, find_board_folder, find_node, is_installed
from tournee.web.board_process import BoardProcess, BoardSettings
from tournee.web.ports import BoardPhase

QUEUES = ("fetchEmails", "processMails", "indexNews", "sendNotifications", "deadLetters")
CHILD = """
import asyncio, json, pathlib, sys
from tournee.web.board_process import BoardProcess, BoardSettings
async def main():
    board = BoardProcess(BoardSettings(sys.argv[1], ["fetchEmails"], pathlib.Path(sys.argv[2]), port=None))
    await board.start()
    state = await board.wait_settled()
    print(json.dumps({"pid": board.pid, "url": state.base_url}), flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


@pytest.fixture
async def installed() -> None:
    """Skips where Node.js or the board's packages are missing: the set-up says why it could not fetch them."""
    try:
        await find_node()
    except BoardUnavailable as missing:
        pytest.skip(str(missing))
    if not is_installed(find_board_folder()):
        pytest.skip("the board's packages are not installed: run `make setup` where npm's registry answers")


@pytest.fixture
async def board(installed: None, redis_url: str, tmp_path: Path) -> AsyncIterator[BoardProcess]:
    process = BoardProcess(BoardSettings(redis_url, QUEUES, tmp_path / "board", port=None))
    await process.start()
    try:
        assert (await process.wait_settled()).phase is BoardPhase.READY
        yield process
    finally:
        await process.stop()


@pytest.fixture
async def boarded(pipeline: Pipeline, board: BoardProcess) -> AsyncIterator[RunningWeb]:
    async with serve_web(pipeline, board=board) as web:
        yield web


async def test_the_board_shows_our_queues_through_the_proxy(worked: Pipeline, boarded: RunningWeb) -> None:
    async with boarded.enter() as client:
        page = await client.get("/board", headers=HTML)
        assert page.status_code == 200
        assert "<title>Tournée</title>" in page.text
        assert "fonts.g" not in page.text, "it asks no outside host for anything"
        policy = page.headers["content-security-policy"]
        assert "script-src 'self';" in policy
        assert "frame-ancestors 'self'" in policy
        for name in (part.split('"')[0] for part in page.text.split('src="')[1:]):
            script = await client.get(f"/board/{name}")
            assert script.status_code == 200, name
            assert "javascript" in script.headers["content-type"]
        queues = {row["name"]: row for row in (await client.get("/board/api/queues")).json()["queues"]}
        assert set(queues) == set(QUEUES)
        assert queues["processMails"]["counts"]["failed"] == 1
        assert all(row["readOnlyMode"] for row in queues.values())


async def test_the_board_is_closed_to_strangers_and_to_every_other_method(
    boarded: RunningWeb, board: BoardProcess
) -> None:
    state = board.read_state()
    async with boarded.open_client() as stranger:
        assert (await stranger.get("/board", headers=HTML)).status_code == 403
    async with boarded.call() as program:
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            assert (await program.request(method, "/board/api/queues/processMails/clean/failed")).status_code == 405
        page = await program.get("/board")
        assert state.secret not in page.text + str(page.headers)
        assert (await program.get("/board/")).headers["location"] == "/board"
    async with httpx.AsyncClient(base_url=state.base_url, trust_env=False, timeout=60) as direct:
        assert (await direct.get("/board")).status_code == 403
        wrong = {"x-tournee-board-secret": state.secret[:-1] + "_"}
        assert (await direct.get("/board", headers=wrong)).status_code == 403
        right = {"x-tournee-board-secret": state.secret}
        assert (await direct.get("/board/api/queues", headers=right)).status_code == 200
        assert (await direct.put("/board/api/queues/processMails/clean/failed", headers=right)).status_code == 405


async def test_the_secret_is_in_no_ones_sight(board: BoardProcess) -> None:
    state = board.read_state()
    assert board.pid is not None
    assert state.secret not in repr(state)
    assert not any(state.secret in word for word in psutil.Process(board.pid).cmdline())
    assert {row.laddr.ip for row in psutil.Process(board.pid).net_connections() if row.status == "LISTEN"} == {
        "127.0.0.1"
    }


async def test_the_board_writes_nothing_to_redis(boarded: RunningWeb, board: BoardProcess, redis_url: str) -> None:
    import redis.asyncio

    async with redis.asyncio.Redis.from_url(redis_url) as connection, boarded.call() as program:
        before = set(await connection.keys())
        for queue in QUEUES:
            await program.get("/board/api/queues", params={"activeQueue": queue, "page": 1})
        assert set(await connection.keys()) == before


async def test_the_board_comes_back_with_redis(boarded: RunningWeb, servers: SessionServers) -> None:
    async with boarded.call() as program:
        assert (await program.get("/board/api/queues")).status_code == 200
        await servers.valkey.kill()
        away = await program.get("/board/api/queues")
        assert away.status_code >= 500
        await servers.valkey.start()
        async with asyncio.timeout(60):
            while (await program.get("/board/api/queues")).status_code != 200:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.05)


async def test_a_killed_board_is_started_again(boarded: RunningWeb, board: BoardProcess) -> None:
    first = board.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    async with asyncio.timeout(60), boarded.enter() as client:
        while board.pid in (first, None) or board.read_state().phase is not BoardPhase.READY:
            page = await client.get("/board", headers=HTML)
            assert page.status_code in (200, 502, 503)
            await asyncio.sleep(0.05)
        assert (await client.get("/board", headers=HTML)).status_code == 200


async def test_a_stopped_board_leaves_no_process(installed: None, redis_url: str, tmp_path: Path) -> None:
    process = BoardProcess(BoardSettings(redis_url, QUEUES, tmp_path, port=None))
    await process.start()
    await process.wait_settled()
    pid = process.pid
    assert pid is not None
    await process.stop()
    assert not psutil.pid_exists(pid)
    assert process.read_state().phase is BoardPhase.OFF


def test_the_board_dies_with_its_parent_even_when_that_is_killed(
    installed: None, redis_url: str, tmp_path: Path
) -> None:
    parent = subprocess.Popen([sys.executable, "-c", CHILD, redis_url, str(tmp_path)], stdout=subprocess.PIPE)
    try:
        assert parent.stdout is not None
        started = json.loads(parent.stdout.readline())
        board = psutil.Process(started["pid"])
        parent.kill()
        board.wait(timeout=60)
    finally:
        parent.kill()
        parent.wait()
        assert parent.stdout is not None
        parent.stdout.close()


async def test_without_node_the_console_says_why_and_works_on(
    pipeline: Pipeline, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("tournee.web.board_install._wheel_folders", lambda extra: [])
    board = BoardProcess(BoardSettings(redis_url, QUEUES, tmp_path, port=None))
    await board.start()
    assert (await board.wait_settled()).phase is BoardPhase.UNAVAILABLE
    async with serve_web(pipeline, board=board) as web, web.enter() as client:
        page = await client.get("/board", headers=HTML)
        assert page.status_code == 503
        assert "there is no Node.js 20 or newer" in page.text
        assert "Everything else works without it" in page.text
        assert (await client.get("/", headers=HTML)).status_code == 200
        assert "Node.js" in (await client.get("/board/api/queues")).json()["error"]
    await board.stop()


async def test_when_npm_can_not_be_reached_the_reason_is_shown(
    installed: None, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = find_board_folder()
    bare = tmp_path / "bare"
    bare.mkdir()
    for name in ("package.json", "package-lock.json", "server.js"):
        (bare / name).write_bytes((source / name).read_bytes())
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9/")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "cache"))
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    board = BoardProcess(
        BoardSettings(redis_url, QUEUES, tmp_path / "copy", port=None, folder=bare, install_timeout_seconds=60)
    )
    await board.start()
    state = await board.wait_settled()
    assert state.phase is BoardPhase.UNAVAILABLE
    assert "npm" in state.reason
    assert "\n" not in state.reason
    await board.stop()
