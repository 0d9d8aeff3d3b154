"""Alerting of one process, wired from its settings: monitor, detectors, Discord and the administrators' e-mail.

An application of the operator's own is watched by two lines:

    from tournee.monitoring import mount_alerts
    mount_alerts(app)

Keeps: nothing heavy is imported before it is needed, since that application may have nothing else of ours.
"""

from __future__ import annotations

import atexit
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

from tournee.alerts import CONDITIONS, AlertMiddleware, Alerts, AlertSettings, conditions
from tournee.alerts.detectors import Detector, DetectorSettings, DiskDetector
from tournee.alerts.mails import write_subject, write_text
from tournee.alerts.ports import Channel, Message, Refused, Unreachable
from tournee.alerts.probes import DiskProbe, PostgresqlProbe, RedisProbe
from tournee.alerts.service import Channels, Watcher
from tournee.kit.clock import SYSTEM_CLOCK, Clock
from tournee.settings import Settings, load_settings

MAILS_AT_ONCE = 50
LEDGER_NOTICES = frozenset({"sync-mailbox", "analyse-newsletter"})
"""Kinds of jobs whose death writes a notice to the administrators in the same transaction: no second mail for them."""
CONDITIONS_OF_KINDS: Mapping[str, str] = {"analyse-newsletter": conditions.NEWSLETTER_INVALID}


class Application(Protocol):
    """A Starlette or FastAPI application."""

    def add_middleware(self, middleware_class: Any, *args: Any, **kwargs: Any) -> None: ...


@dataclass(frozen=True, slots=True)
class Watch:
    """What one process watches. `tells` False: another process tells of the stores, this one only wants to know."""

    process: str
    database_url: str = field(default="", repr=False)
    redis_url: str = field(default="", repr=False)
    folder: Path | None = None
    tells: bool = True
    console_url: str = ""


def mount_alerts(app: Application, settings: Settings | None = None, *, process: str = "api") -> Alerts:
    """Watch a Starlette or FastAPI application: call it once, before the application serves. The settings are read
    from the environment, the stores are watched where their URLs are set. What it answers counts, for metrics.
    """
    settings = settings or load_settings()
    database, redis = (url.get_secret_value() if url else "" for url in (settings.database_url, settings.redis_url))
    alerts = build_alerts(settings, Watch(process, database, redis))
    app.add_middleware(AlertMiddleware, monitor=alerts.monitor)
    alerts.start()
    atexit.register(alerts.stop)
    return alerts


def build_alerts(settings: Settings, watch: Watch, clock: Clock = SYSTEM_CLOCK) -> Alerts:
    """One process's alerts, not started yet."""
    channels, watchers = _choose_channels(settings), _list_watchers(settings, watch)
    of_children = _list_watchers(settings, replace(watch, tells=False))
    return Alerts(read_alert_settings(settings, watch), channels, watchers, clock, of_children)


def read_alert_settings(settings: Settings, watch: Watch) -> AlertSettings:
    """What alerting needs of all settings."""
    return AlertSettings(
        process=watch.process,
        production=settings.production,
        language=settings.language,
        console_url=settings.console_url or watch.console_url,
        error_threshold=settings.alert_errors,
        window_seconds=settings.alert_window_seconds,
        client_error_statuses=frozenset(settings.alert_client_statuses),
        watches_rate_limits=settings.alert_rate_limits > 0,
        rate_limit_threshold=max(1, settings.alert_rate_limits),
        cooldown_seconds=settings.alert_cooldown_seconds,
        quiet_start_seconds=settings.alert_quiet_start_seconds,
        critical_queues=frozenset(settings.critical_queues),
        kinds_of_their_own=CONDITIONS_OF_KINDS,
        mailed_kinds=LEDGER_NOTICES if settings.admin_emails else frozenset(),
        dead_letters_threshold=settings.alert_dead_letters,
        searchable_seconds=settings.alert_searchable_seconds,
        disk_free_percent=settings.alert_disk_free_percent,
    )


def _choose_channels(settings: Settings) -> Channels:
    return Channels(
        discord=(lambda: _open_discord(settings)) if settings.discord_webhook_url else None,
        mail=(lambda: MailChannel(settings)) if settings.admin_emails else None,
    )


def _open_discord(settings: Settings) -> Channel:
    from tournee.integrations.discord.webhook import DiscordWebhook  # noqa: PLC0415 - see the module's docstring

    assert settings.discord_webhook_url is not None
    return DiscordWebhook(settings.discord_webhook_url.get_secret_value())


def _list_watchers(settings: Settings, watch: Watch) -> Callable[[], Sequence[Watcher]]:
    def make() -> list[Watcher]:
        how = DetectorSettings(tells=watch.tells)
        watchers: list[Watcher] = []
        if watch.database_url:
            condition, probe = CONDITIONS[conditions.DATABASE_DOWN], PostgresqlProbe(watch.database_url)
            watchers.append(Detector(condition, "PostgreSQL", probe, how))
        if watch.redis_url:
            condition, redis = CONDITIONS[conditions.REDIS_DOWN], RedisProbe(watch.redis_url)
            watchers.append(Detector(condition, "Redis", redis, how))
        if watch.folder is not None and watch.tells:
            watchers.append(DiskDetector("home", DiskProbe(watch.folder), settings.alert_disk_free_percent))
        return watchers

    return make


class MailChannel:
    """The administrators' e-mail: one mail for all that is told at once, to each of them."""

    name = "email"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._mailer: Any = None

    def count_fitting(self, messages: Sequence[Message]) -> int:
        return min(len(messages), MAILS_AT_ONCE)

    async def send(self, messages: Sequence[Message]) -> float:
        from tournee.pipeline.core.emails import make_message_id  # noqa: PLC0415 - see the module's docstring
        from tournee.pipeline.ports import Email, OutsideUnavailable, Rejected  # noqa: PLC0415

        settings, host = self._settings, self._settings.mail_from.rpartition("@")[2]
        identity = f"{uuid4()}"
        taken, refusals = 0, 0
        for address in settings.admin_emails:
            mail = Email(
                message_id=make_message_id("alert", f"{identity}\n{address}", host),
                to=address,
                subject=f"[Tournée] {write_subject(messages, settings.language)}",
                text=write_text(messages, settings.language),
                headers={"Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All"},
            )
            try:
                await self._open().send(mail)
                taken += 1
            except Rejected:
                refusals += 1
            except OutsideUnavailable as error:
                # Whoever got it already must not get it again with every try for the others.
                if not taken:
                    raise Unreachable(error.message) from None
        if refusals and not taken:
            raise Refused("no administrator's address was accepted")
        return 0.0

    async def close(self) -> None:
        if self._mailer is not None:
            await self._mailer.close()

    def _open(self) -> Any:
        if self._mailer is None:
            self._mailer = build_mailer(self._settings)
        return self._mailer


def build_mailer(settings: Settings) -> Any:
    """A mailer of this thread's own: SMTP where a server is named, else the outbox in the home."""
    if settings.smtp_url is not None:
        from tournee.integrations.smtp.mailer import SmtpMailer  # noqa: PLC0415

        return SmtpMailer(settings.smtp_url.get_secret_value(), settings.mail_from)
    from tournee.integrations.local.outbox import OutboxMailer  # noqa: PLC0415

    return OutboxMailer(settings.home / "outbox", settings.mail_from)
