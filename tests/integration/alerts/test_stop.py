"""The end of a process while Discord is away: what matters goes by e-mail at once, what reaches nobody is logged."""

from __future__ import annotations

import asyncio
import email
import email.policy
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from structlog.testing import capture_logs

from tests.support.waiting import wait_until
from tournee.alerts import CONDITIONS, Alerts, AlertSettings, conditions, service
from tournee.alerts.incidents import Fault
from tournee.alerts.monitor import Monitor
from tournee.alerts.service import Channels
from tournee.monitoring import Watch, build_alerts
from tournee.settings import Settings
from tournee_sandbox.discord.fault import DiscordFault
from tournee_sandbox.sandbox import Sandbox
from tournee_sandbox.smtp.fault_plan import Fault as SmtpFault

HANGS = DiscordFault(kind="hang")
REFUSES = DiscordFault(kind="status", code=503)
DATABASE = Fault(CONDITIONS[conditions.DATABASE_DOWN], "", "PostgreSQL", {"error": "TimeoutError"})
REDIS = Fault(CONDITIONS[conditions.REDIS_DOWN], "", "Redis", {"error": "TimeoutError"})
DEAD = Fault(CONDITIONS[conditions.JOB_DEAD], "k", "fetchEmails", {"error": "KeyError"}, job_id=7)
BREAKER = Fault(CONDITIONS[conditions.BREAKER_OPEN], "mistral", "mistral")
LOST = "an alert reached nobody before the end"
Start = Callable[..., Alerts]


def make_settings(sandbox: Sandbox, folder: Path, **more: object) -> Settings:
    addresses = sandbox.read_addresses()
    given: dict[str, object] = {
        "home": folder,
        "env": "production",
        "discord_webhook_url": addresses["discord"]["url"],
        "smtp_url": addresses["smtp"]["url"],
        "admin_emails": ["ann@example.org"],
        "alert_quiet_start_seconds": 0,
        **more,
    }
    return Settings(**given)  # type: ignore[arg-type]


@pytest.fixture
async def start(sandbox: Sandbox, tmp_path: Path) -> AsyncIterator[Start]:
    """Starts alerting in its own thread, by the real clock."""
    started: list[Alerts] = []

    def start(**more: object) -> Alerts:
        alerts = build_alerts(make_settings(sandbox, tmp_path, **more), Watch("api"))
        alerts.start()
        started.append(alerts)
        return alerts

    yield start
    for alerts in started:
        await asyncio.to_thread(alerts.stop, 0.1)


@pytest.fixture
def impatient_with_discord(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nearly all of the time is e-mail's, so that a busy machine has enough of it."""
    monkeypatch.setattr(service, "DISCORD_SHARE", 0.01)


async def stop(alerts: Alerts, seconds: float = 60.0) -> list[Any]:
    """End it as a process does, with patience for a machine that is busy; answers what was logged meanwhile."""
    with capture_logs() as told:
        await asyncio.to_thread(alerts.stop, seconds)
    assert not [thread for thread in threading.enumerate() if thread.name == "alerts"], "it has ended"
    return told


def read_subjects(sandbox: Sandbox) -> list[str]:
    paths = sorted((sandbox.home / "smtp" / "eml").glob("*"))
    return [str(email.message_from_bytes(path.read_bytes(), policy=email.policy.default)["subject"]) for path in paths]


def read_all(sandbox: Sandbox) -> str:
    paths = sorted((sandbox.home / "smtp" / "eml").glob("*"))
    messages = [email.message_from_bytes(path.read_bytes(), policy=email.policy.default) for path in paths]
    return "\n".join(message.get_content() for message in messages).replace("\r\n", "\n")


def fail(alerts: Alerts, path: str = "/broken") -> None:
    alerts.monitor.record_response(500, {"method": "GET", "path": path})


@pytest.mark.usefixtures("impatient_with_discord")
@pytest.mark.parametrize("fault", [HANGS, REFUSES])
async def test_what_matters_goes_by_mail_when_a_process_ends_soon_after_discord_went_away(
    sandbox: Sandbox, start: Start, fault: DiscordFault
) -> None:
    sandbox.discord.plan.put([fault])
    alerts = start()
    fail(alerts)
    await wait_until(lambda: sum(counts.requests for counts in alerts.snapshot().channels.values()) > 0)
    fail(alerts, "/other")
    alerts.monitor.report(DEAD)
    told = await stop(alerts)

    mailed = read_all(sandbox)
    for title in ("Error 500: GET /broken", "Error 500: GET /other", "Dead jobs in fetchEmails"):
        assert mailed.count(f"{title}\n") == 1, mailed
    assert [line for line in told if line["event"] == LOST] == []


@pytest.mark.usefixtures("impatient_with_discord")
async def test_a_mail_a_moment_ago_does_not_keep_the_end_from_mailing(sandbox: Sandbox, start: Start) -> None:
    alerts = start()
    alerts.monitor.report(DATABASE)
    await wait_until(lambda: len(sandbox.smtp.store.mails) == 1)
    sandbox.discord.plan.put([REFUSES])
    alerts.monitor.report(REDIS)
    told = await stop(alerts)
    assert read_subjects(sandbox) == ["[Tournée] Database down: PostgreSQL", "[Tournée] Redis down"]
    assert [line for line in told if line["event"] == LOST] == []


@pytest.mark.usefixtures("impatient_with_discord")
async def test_a_mail_that_is_under_way_at_the_end_does_not_keep_the_next_from_being_sent(
    sandbox: Sandbox, start: Start
) -> None:
    sandbox.discord.plan.put([HANGS])
    sandbox.smtp.plan.put([SmtpFault(stage="data", kind="delay", seconds=2.0, count=1)])
    alerts = start()
    fail(alerts)
    await wait_until(lambda: bool(alerts.snapshot().channels) and alerts.snapshot().channels["discord"].requests > 0)
    alerts.monitor.report(REDIS)
    await wait_until(lambda: alerts.snapshot().channels["email"].requests == 1)
    await stop(alerts, 30.0)
    assert read_subjects(sandbox) == ["[Tournée] Redis down", "[Tournée] Error 500: GET /broken"]


async def test_without_a_webhook_what_waits_for_the_next_mail_is_mailed_at_the_end(
    sandbox: Sandbox, start: Start
) -> None:
    alerts = start(discord_webhook_url=None)
    fail(alerts)
    await wait_until(lambda: len(sandbox.smtp.store.mails) == 1)
    fail(alerts, "/other")
    await stop(alerts)
    assert read_subjects(sandbox) == ["[Tournée] Error 500: GET /broken", "[Tournée] Error 500: GET /other"]


async def test_a_discord_that_takes_them_gets_them_and_no_mail_is_written(sandbox: Sandbox, start: Start) -> None:
    alerts = start()
    fail(alerts)
    told = await stop(alerts)
    [message] = sandbox.discord.store.messages
    assert [embed["title"] for embed in message.sent["embeds"]] == ["Error 500: GET /broken"]
    assert sandbox.smtp.store.mails == []
    assert [line for line in told if line["event"] == LOST] == []
    assert alerts.snapshot().channels["discord"].sent == 1


@pytest.mark.parametrize("kind", ["hang", "disconnect"])
async def test_what_reaches_nobody_is_logged_and_counted(
    sandbox: Sandbox, start: Start, kind: Literal["hang", "disconnect"]
) -> None:
    sandbox.discord.plan.put([HANGS])
    sandbox.smtp.plan.put([SmtpFault(stage="connect", kind=kind)])
    alerts = start()
    fail(alerts)
    told = await stop(alerts, 1.0)
    [lost] = [line for line in told if line["event"] == LOST]
    assert (lost["log_level"], lost["condition"], lost["title"]) == ("error", "error-500", "Error 500: GET /broken")
    counts = alerts.snapshot().channels
    assert (counts["discord"].dropped, counts["email"].dropped) == (1, 1)


async def test_a_warning_alone_is_no_reason_for_a_mail_at_the_end_and_is_logged(sandbox: Sandbox, start: Start) -> None:
    sandbox.discord.plan.put([REFUSES])
    alerts = start()
    alerts.monitor.report(BREAKER)
    told = await stop(alerts, 1.0)
    assert sandbox.smtp.store.mails == []
    assert [line["condition"] for line in told if line["event"] == LOST] == ["breaker-open"]


async def test_with_nobody_to_write_to_what_discord_did_not_take_is_logged(sandbox: Sandbox, start: Start) -> None:
    sandbox.discord.plan.put([REFUSES])
    alerts = start(admin_emails=[])
    fail(alerts)
    alerts.monitor.report(REDIS)
    told = await stop(alerts, 1.0)
    assert {line["condition"] for line in told if line["event"] == LOST} == {"error-500", "redis-down"}


async def test_an_error_that_waits_for_a_look_at_a_store_is_told_before_the_end(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """Nobody will look any more: it is told rather than forgotten."""

    class NeverLooks:
        def nudge(self) -> None:
            """Look no sooner."""

        async def run(self, monitor: Monitor) -> None:
            monitor.book.note_look("database-down", float("-inf"))
            await asyncio.Event().wait()

    settings = make_settings(sandbox, tmp_path)
    made = build_alerts(settings, Watch("api"))
    chosen = AlertSettings(production=True, quiet_start_seconds=0.0, hold_seconds=3600.0)
    alerts = Alerts(chosen, Channels(made._channels.discord, None), lambda: [NeverLooks()])
    alerts.start()
    fail(alerts)
    await wait_until(lambda: alerts.snapshot().monitor.recorded.get("request") == 1)
    await stop(alerts)
    [message] = sandbox.discord.store.messages
    assert message.sent["embeds"][0]["title"] == "Error 500: GET /broken"


def make_environment(sandbox: Sandbox, folder: Path) -> dict[str, str]:
    """Of a program of the operator's own; hosts by their names."""
    settings = make_settings(sandbox, folder)
    assert settings.discord_webhook_url is not None
    assert settings.smtp_url is not None
    return {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": ":".join(sys.path),
        "TOURNEE_HOME": str(folder / "home"),
        "TOURNEE_ENV": "production",
        "TOURNEE_DISCORD_WEBHOOK_URL": settings.discord_webhook_url.get_secret_value().replace(
            "127.0.0.1", "localhost"
        ),
        "TOURNEE_SMTP_URL": settings.smtp_url.get_secret_value().replace("127.0.0.1", "localhost"),
        "TOURNEE_ADMIN_EMAILS": "ann@example.org",
        "TOURNEE_ALERT_QUIET_START_SECONDS": "0",
    }


async def run_program(program: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-c", program]
    return await asyncio.to_thread(
        subprocess.run, words, env=environment, capture_output=True, text=True, check=False, timeout=120
    )


async def test_a_child_that_is_forked_after_the_start_tells_of_its_own_errors_and_of_no_others(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """A server loads the application and its alerts, then forks the workers that serve it."""
    program = """
import os, sys, threading
from fastapi import FastAPI
from tournee.monitoring import mount_alerts

alerts = mount_alerts(FastAPI())
alerts.monitor.record_response(500, {"method": "GET", "path": "/parent"})
for path in ("/child", ""):
    child = os.fork()
    if child == 0:
        if path:
            alerts.monitor.record_response(500, {"method": "GET", "path": path})
        alone = not any(thread.name == "alerts" and thread.is_alive() for thread in threading.enumerate())
        alerts.stop(30.0)
        os._exit(0 if alone is not bool(path) else 7)
    _, status = os.waitpid(child, 0)
    assert status == 0, status
alerts.stop(30.0)
"""
    answer = await run_program(program, make_environment(sandbox, tmp_path))
    assert answer.returncode == 0, answer.stderr
    titles = [embed["title"] for message in sandbox.discord.store.messages for embed in message.sent["embeds"]]
    assert sorted(titles) == ["Error 500: GET /child", "Error 500: GET /parent"], answer.stderr


async def test_a_program_that_just_ends_tells_what_it_recorded_also_by_name_and_by_mail(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """An interpreter that ends starts no more work in executors, which is how names are looked up and mail is sent."""
    program = """
from fastapi import FastAPI
from tournee.alerts import CONDITIONS, conditions
from tournee.alerts.incidents import Fault
from tournee.monitoring import mount_alerts

alerts = mount_alerts(FastAPI())
alerts.monitor.report(Fault(CONDITIONS[conditions.DATABASE_DOWN], "", "PostgreSQL"))
"""
    answer = await run_program(program, make_environment(sandbox, tmp_path))
    assert answer.returncode == 0, answer.stderr
    assert len(sandbox.discord.store.messages) == 1, answer.stderr
    assert read_subjects(sandbox) == ["[Tournée] Database down: PostgreSQL"], answer.stderr
