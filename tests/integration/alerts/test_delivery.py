"""From an error to Discord and to the administrators' mailbox, through real HTTP and SMTP, by a clock that is moved."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.alerts import MovedClock
from tests.support.waiting import wait_until
from tournee.alerts import CONDITIONS, Alerts, conditions
from tournee.alerts.incidents import Fault
from tournee.monitoring import Watch, build_alerts
from tournee.settings import Settings
from tournee_sandbox.discord.fault import DiscordFault
from tournee_sandbox.sandbox import Sandbox

DATABASE = Fault(CONDITIONS[conditions.DATABASE_DOWN], "", "PostgreSQL", {"error": "TimeoutError"})
ADMINISTRATORS = ("ann@example.org", "bo@example.org")


def make_settings(sandbox: Sandbox, folder: Path, **more: object) -> Settings:
    addresses = sandbox.read_addresses()
    given: dict[str, object] = {
        "home": folder,
        "env": "production",
        "discord_webhook_url": addresses["discord"]["url"],
        "smtp_url": addresses["smtp"]["url"],
        "admin_emails": ADMINISTRATORS,
        "alert_quiet_start_seconds": 0,
        **more,
    }
    return Settings(**given)  # type: ignore[arg-type]


class Delivery:
    """One process's alerts on real channels, stepped by hand."""

    def __init__(self, settings: Settings, clock: MovedClock) -> None:
        self.clock = clock
        self.alerts: Alerts = build_alerts(settings, Watch("api", console_url="http://127.0.0.1:8420"), clock)

    async def step(self, seconds: float = 0.0, stride: float = 1.0) -> None:
        await self._step()
        while seconds > 0:
            self.clock.move(min(stride, seconds))
            seconds -= stride
            await self._step()

    async def _step(self) -> None:
        self.alerts.step()
        await self.alerts.settle()


def read_titles(sandbox: Sandbox) -> list[str]:
    return [embed["title"] for message in sandbox.discord.store.messages for embed in message.sent["embeds"]]


async def test_a_store_that_goes_down_and_comes_back_is_told_on_both_ways(
    sandbox: Sandbox, tmp_path: Path, clock: MovedClock
) -> None:
    delivery = Delivery(make_settings(sandbox, tmp_path), clock)
    delivery.alerts.monitor.report(DATABASE)
    await delivery.step(90.0, stride=10.0)
    delivery.alerts.monitor.clear("database-down")
    await delivery.step(90.0, stride=10.0)
    await delivery.alerts.close()
    assert read_titles(sandbox) == ["Database down: PostgreSQL", "Database back: PostgreSQL"]
    assert sandbox.discord.store.messages[1].sent["embeds"][0]["description"] == "**Lasted: 1 min 30 s**"
    mails = sandbox.smtp.store.mails
    assert [mail.recipients for mail in mails] == [[ADMINISTRATORS[0]], [ADMINISTRATORS[1]]] * 2
    assert "What to do" in read_body(sandbox, 0)
    assert "Link: " not in read_body(sandbox, 0)


def read_body(sandbox: Sandbox, number: int) -> str:
    paths = sorted((sandbox.home / "smtp" / "eml").iterdir())
    message = email.message_from_bytes(paths[number].read_bytes(), policy=email.policy.default)
    return f"{message['subject']}\n{message.get_content()}"


async def test_discord_away_for_an_hour_loses_nothing_and_is_not_stormed(
    sandbox: Sandbox, tmp_path: Path, clock: MovedClock
) -> None:
    """Sixty minutes of simulated time; every request is a real one that fails."""
    sandbox.discord.plan.put([DiscordFault(kind="status", code=503)])
    delivery = Delivery(make_settings(sandbox, tmp_path, alert_cooldown_seconds=300), clock)
    monitor = delivery.alerts.monitor
    for minute in range(60):
        monitor.record_response(500, {"method": "GET", "path": "/fine"})
        if minute == 20:
            monitor.report(DATABASE)
        if minute == 25:
            monitor.clear("database-down")
        await delivery.step(60.0, stride=5.0)
    counts = delivery.alerts.snapshot().channels
    assert counts["discord"].sent == 0
    assert counts["discord"].dropped == 0
    assert counts["discord"].requests <= 25, "no storm of retries: further apart each time, five minutes in the end"
    subjects = [read_body(sandbox, number).split("\n")[0] for number in range(len(sandbox.smtp.store.mails))]
    assert len(subjects) <= 2 * 12, "at most one mail in five minutes, to each of two"
    assert any("Error 500: GET /fine" in subject for subject in subjects)
    assert any("Database down: PostgreSQL" in subject for subject in subjects)
    assert any("Database back: PostgreSQL" in subject for subject in subjects)

    sandbox.discord.plan.put([])
    await delivery.step(400.0, stride=10.0)
    await delivery.alerts.close()
    titles = read_titles(sandbox)
    assert "Database back: PostgreSQL" in titles, "what Discord missed is posted when it is back, as it stands then"
    assert any(title.startswith("Error 500: GET /fine") for title in titles)
    assert len(sandbox.discord.store.messages) <= 3


async def test_a_webhook_that_is_gone_is_never_asked_again_and_mail_stands_in(
    sandbox: Sandbox, tmp_path: Path, clock: MovedClock
) -> None:
    sandbox.discord.plan.put([DiscordFault(kind="status", code=404)])
    delivery = Delivery(make_settings(sandbox, tmp_path), clock)
    for number in range(5):
        delivery.alerts.monitor.record_response(500, {"method": "GET", "path": f"/{'abcde'[number]}"})
        await delivery.step(700.0, stride=20.0)
    await delivery.alerts.close()
    assert delivery.alerts.snapshot().channels["discord"].requests == 1
    [fault] = sandbox.discord.plan.read()
    assert fault["taken"] == 1
    assert len(sandbox.smtp.store.mails) == 2 * 5


async def test_a_limit_is_obeyed_and_nothing_is_lost(sandbox: Sandbox, tmp_path: Path, clock: MovedClock) -> None:
    sandbox.discord.plan.put([DiscordFault(kind="ratelimit", scope="global", seconds=30, count=1)])
    delivery = Delivery(make_settings(sandbox, tmp_path, admin_emails=()), clock)
    delivery.alerts.monitor.report(DATABASE)
    await delivery.step(29.0)
    assert delivery.alerts.snapshot().channels["discord"].requests == 1
    await delivery.step(3.0)
    await delivery.alerts.close()
    assert read_titles(sandbox) == ["Database down: PostgreSQL"]


async def test_one_message_that_is_refused_does_not_hold_up_the_others(
    sandbox: Sandbox, tmp_path: Path, clock: MovedClock
) -> None:
    sandbox.discord.plan.put([DiscordFault(kind="status", code=400, contains="/poison")])
    delivery = Delivery(make_settings(sandbox, tmp_path), clock)
    for path in ("/fine", "/poison", "/well"):
        delivery.alerts.monitor.record_response(500, {"method": "GET", "path": path})
    await delivery.step(30.0)
    await delivery.alerts.close()
    assert read_titles(sandbox) == ["Error 500: GET /fine", "Error 500: GET /well"]
    assert "Error 500: GET /poison" in read_body(sandbox, 0)


async def test_without_a_webhook_everything_goes_by_mail_far_apart(
    sandbox: Sandbox, tmp_path: Path, clock: MovedClock
) -> None:
    delivery = Delivery(make_settings(sandbox, tmp_path, discord_webhook_url=None, language="fr"), clock)
    delivery.alerts.monitor.record_response(500, {"method": "GET", "path": "/a"})
    await delivery.step(10.0)
    for path in ("/b", "/c"):
        delivery.alerts.monitor.record_response(500, {"method": "GET", "path": path})
        await delivery.step(20.0)
    assert len(sandbox.smtp.store.mails) == 2
    await delivery.step(600.0, stride=10.0)
    await delivery.alerts.close()
    assert len(sandbox.smtp.store.mails) == 4
    assert read_body(sandbox, 2).startswith("[Tournée] 2 alertes : Erreur 500 : GET /b, …")


async def test_a_hanging_discord_delays_neither_mail_nor_the_thread(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.discord.plan.put([DiscordFault(kind="hang")])
    alerts = build_alerts(make_settings(sandbox, tmp_path), Watch("api"))
    with running(alerts):
        alerts.monitor.report(DATABASE)
        await wait_until(lambda: len(sandbox.smtp.store.mails) == 2)
        assert alerts.snapshot().channels["discord"].requests == 1


@contextmanager
def running(alerts: Alerts) -> Iterator[None]:
    alerts.start()
    try:
        yield
    finally:
        alerts.stop(0.1)


async def test_half_a_character_in_a_name_stops_neither_way(
    sandbox: Sandbox, tmp_path: Path, clock: MovedClock
) -> None:
    delivery = Delivery(make_settings(sandbox, tmp_path), clock)
    delivery.alerts.monitor.report(Fault(DATABASE.condition, "", "a \ud800 b\x00", {"error": "\udfff"}))
    await delivery.step(30.0, stride=10.0)
    await delivery.alerts.close()
    assert read_titles(sandbox) == ["Database down: a ? b"]
    assert read_body(sandbox, 0).startswith("[Tournée] Database down: a ? b\n")


@pytest.mark.parametrize(
    "text", ["me@example.org", "Bearer abcdefghij", "http://u:p@host/x", "sk-4711aaaabbbbccccddddeeee"]
)
async def test_no_secret_leaves_even_in_the_place_of_a_name(
    sandbox: Sandbox, tmp_path: Path, clock: MovedClock, text: str
) -> None:
    delivery = Delivery(make_settings(sandbox, tmp_path), clock)
    delivery.alerts.monitor.record_provider_failure("mistral", text)
    delivery.alerts.monitor.report(Fault(DATABASE.condition, "", text, {"error": text}))
    await delivery.step(90.0, stride=10.0)
    await delivery.alerts.close()
    sent = str(sandbox.discord.store.messages) + read_body(sandbox, 0)
    assert text not in sent
    assert "…" in sent
