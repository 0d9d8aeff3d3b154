"""Pausing and resuming from the command line, on the ledger."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import asyncpg

from tests.integration.bootstrap.conftest import Tournee

DECLARE = """
INSERT INTO engine.schedules (name, cron, time_zone, queue, kind, next_at)
VALUES ('old-watch', '0 4 * * *', 'Europe/Berlin', 'fetchEmails', 'renew-watch', now() - interval '3 days')
"""


def execute(url: str, sql: str) -> list[Any]:
    async def ask() -> list[Any]:
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetch(sql)
        finally:
            await connection.close()

    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        return runner.run(ask())


def test_queues_and_schedules_are_switched_in_the_ledger_and_each_act_is_audited(
    tournee: Tournee, database_url: str, redis_url: str
) -> None:
    stores = {"database_url": database_url, "redis_url": redis_url}

    def ask(*words: str) -> Any:
        answer = tournee(*words, "--json", **stores)
        assert answer.code == 0, answer.stderr
        return json.loads(answer.stdout)

    paused = ask("queues", "pause", "processMails", "--reason", "the bill")
    assert paused == {"queue": "processMails", "paused": True}
    queues = {queue["queue"]: queue for queue in ask("queues", "list")["queues"]}
    assert queues["processMails"]["paused"] is True
    assert queues["fetchEmails"]["paused"] is False
    ask("queues", "resume", "processMails")

    execute(database_url, DECLARE)
    [row] = ask("schedules", "list")["schedules"]
    assert (row["name"], row["served"], row["paused"]) == ("old-watch", False, False)
    ask("schedules", "pause", "old-watch", "--reason", "moved")
    ask("schedules", "resume", "old-watch")
    assert execute(database_url, "SELECT next_at > now() AS ahead FROM engine.schedules")[0]["ahead"]
    assert ask("status")["schedules"][0]["cron"] == "0 4 * * *"
    assert ask("schedules", "forget", "old-watch") == {"schedule": "old-watch", "forgotten": True}
    assert ask("schedules", "list")["schedules"] == []

    audits = execute(database_url, "SELECT action, reason, actor FROM engine.audit_log ORDER BY id")
    assert [(audit["action"], audit["reason"]) for audit in audits] == [
        ("pause", "the bill"),
        ("resume", ""),
        ("pause schedule", "moved"),
        ("resume schedule", ""),
        ("forget schedule", ""),
    ]
    assert all(audit["actor"].startswith("cli:") for audit in audits)
