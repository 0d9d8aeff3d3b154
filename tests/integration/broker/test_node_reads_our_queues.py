"""Node's BullMQ, and so Bull Board, sees in our queues what we put there."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.support.broker import QUEUE, TOKEN, Client, MakeBroker, dispatch_id, fail, finish, make_dead, make_job

BOARD = Path(__file__).parents[3] / "board"
READER = Path(__file__).with_name("node_reader.mjs")


async def read_with_node(redis_url: str, queue: str = QUEUE) -> dict[str, Any]:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    if not (BOARD / "node_modules" / "bullmq").is_dir():
        pytest.skip("the board's node_modules are not installed (make setup installs them)")
    process = await asyncio.create_subprocess_exec(
        node,
        str(READER),
        str(BOARD),
        redis_url,
        queue,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(30):
        output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    seen: dict[str, Any] = json.loads(output)
    return seen


async def test_node_sees_jobs_states_workers_stack_traces_and_dead_letters(
    make_broker: MakeBroker, redis_url: str, server: Client
) -> None:
    broker = make_broker(worker_name="host:42")
    await broker.write_epoch(QUEUE, 1)
    await broker.add(QUEUE, [make_job(1), make_job(2), make_job(3)])
    await broker.add(QUEUE, [make_job(4, dispatch=3, attempt=2, earlier_errors=("first trace", "second trace"))])
    done, died, running = await broker.exchange(QUEUE, [], 3, TOKEN)
    await broker.exchange(QUEUE, [finish(done, return_value="indexed"), fail(died)], 0, TOKEN)
    await broker.write_progress(QUEUE, dispatch_id(3), 40)
    await broker.write_log(QUEUE, dispatch_id(3), "a line")
    await broker.project_dead([make_dead(2)], 100)
    await broker.wait_for_jobs(QUEUE, 0.01)
    assert running.id == dispatch_id(3)

    seen = await read_with_node(redis_url)

    counts = {"waiting": 1, "active": 1, "completed": 1, "failed": 1, "delayed": 0, "prioritized": 0, "paused": 0}
    assert seen["counts"] == counts
    [waiting], [active], [completed], [failed] = (seen[state] for state in ("waiting", "active", "completed", "failed"))
    assert (waiting["id"], waiting["name"], waiting["attemptsMade"]) == ("j4-3", "analyse-newsletter", 2)
    assert waiting["stacktrace"] == ["first trace", "second trace"]
    assert waiting["opts"]["attempts"] == 3
    assert waiting["data"]["key"] == "key-4"
    assert (active["id"], active["progress"], active["by"]) == ("j3-1", 40, "host:42")
    assert seen["logs"] == ["a line"]
    assert (completed["id"], completed["returnvalue"]) == ("j1-1", "indexed")
    assert (failed["id"], failed["failedReason"], failed["stacktrace"]) == ("j2-1", "no JSON", ["a trace"])
    assert failed["attemptsMade"] == 1
    assert seen["states"] == ["completed", "failed", "active", "waiting"]
    assert seen["workers"] == ["bull:cHJvY2Vzc01haWxz:w:host:42"]
    assert seen["workersCount"] == 1
    assert seen["version"].startswith("bullmq:3.")
    assert seen["metrics"] == 1
    [letter] = seen["deadLetters"]
    assert (letter["id"], letter["name"], letter["failedReason"]) == ("d2-1", QUEUE, "ValueError: no JSON")
