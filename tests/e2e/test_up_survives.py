"""While mails are imported, Redis is emptied and killed, and a worker killed; nothing is lost or told twice."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import psutil
import pytest
import redis.asyncio

from tests.support.commands import Serving, run_command, serve_command
from tests.support.progress import wait_for_notified
from tests.support.sinks import open_mail_sink
from tournee.bootstrap.stack_file import StackFile, read_stack

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def find_child(serving: Serving, word: str) -> psutil.Process:
    """A process that the supervisor started, by a word of its command line."""
    for child in psutil.Process(serving.pid).children():
        if word in child.cmdline():
            return child
    raise AssertionError(f"the supervisor has no child with {word!r}")


def find_valkey(stack: StackFile, serving: Serving) -> psutil.Process:
    for child in psutil.Process(serving.pid).children(recursive=True):
        if "valkey-server" in child.name():
            return child
    raise AssertionError("there is no Valkey to kill")


async def test_an_import_outlasts_flush_kill_of_valkey_and_kill_of_a_worker(mails: Path, home: Path) -> None:
    async with open_mail_sink(home / "sink") as sink:
        more = {"TOURNEE_SMTP_URL": sink.url}
        async with serve_command("up", home=home / "h", more=more) as up:
            stack = read_stack(home / "h")
            assert stack is not None
            importing = asyncio.create_task(
                run_command("import", str(mails), "--notify", "--json", home=home / "h", more=more, seconds=600)
            )
            await wait_for_notified(stack.database_url, 5)
            async with redis.asyncio.Redis.from_url(stack.redis_url) as client:
                await client.flushall()
            await wait_for_notified(stack.database_url, 30)
            os.kill(find_valkey(stack, up).pid, signal.SIGKILL)
            await wait_for_notified(stack.database_url, 60)
            os.kill(find_child(up, "worker").pid, signal.SIGKILL)
            done = await importing
            assert done.code == 0, done.stderr[-3000:]
            summary = done.read_json()
            received = await sink.count_by_message_id()
    assert summary["lost"] == 0
    assert summary["dead"] == 0
    assert (
        summary["messages"]
        == summary["newsletters"] + summary["confirmations"] + summary["others"] + (summary["unparsable"])
    )
    assert summary["newsletters"] == summary["analysed"] + summary["cache_hits"]
    assert summary["indexed"] == summary["notified"] == summary["newsletters"]
    assert len(received) == summary["newsletters"], "each newsletter is told of once, under one Message-ID"
