"""Alerting with a clock that a test moves, and channels that keep what they are told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from tournee.alerts import Alerts, AlertSettings
from tournee.alerts.ports import Message
from tournee.alerts.service import Channels

BEGINNING = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@dataclass
class MovedClock:
    """Stands still until it is moved."""

    at: float = 1_000.0

    def monotonic(self) -> float:
        return self.at

    def now(self) -> datetime:
        return BEGINNING + timedelta(seconds=self.at - 1_000.0)

    def move(self, seconds: float) -> None:
        self.at += seconds


@dataclass
class KeepingChannel:
    """Takes everything; `fault` is raised instead while it is set."""

    name: str = "discord"
    told: list[Message] = field(default_factory=list)
    requests: int = 0
    fault: Exception | None = None
    pause_seconds: float = 0.0

    def count_fitting(self, messages: Sequence[Message]) -> int:
        return min(len(messages), 10)

    async def send(self, messages: Sequence[Message]) -> float:
        self.requests += 1
        if self.fault is not None:
            raise self.fault
        self.told.extend(messages)
        return self.pause_seconds

    async def close(self) -> None:
        """Nothing is held."""

    @property
    def said(self) -> list[str]:
        """Condition and phase of what was told, in order."""
        return [f"{message.condition} {message.phase}" for message in self.told]


@dataclass
class AlertBench:
    """One process's alerts, stepped by hand."""

    clock: MovedClock
    alerts: Alerts
    discord: KeepingChannel
    mail: KeepingChannel

    async def step(self, seconds: float = 0.0, stride: float = 1.0) -> None:
        """Let so much time pass, a stride at a time; at least one step."""
        await self.run_step()
        left = seconds
        while left > 0:
            self.clock.move(min(stride, left))
            left -= stride
            await self.run_step()

    async def run_step(self) -> None:
        self.alerts.step()
        await self.alerts.settle()

    def fail_requests(self, count: int, path: str = "/things", status: int = 500) -> None:
        for _ in range(count):
            self.alerts.monitor.record_response(status, {"method": "GET", "path": path})


def make_bench(
    discord: KeepingChannel | None = None, mail: KeepingChannel | None = None, **settings: object
) -> AlertBench:
    """Quiet start over, both channels there."""
    clock = MovedClock()
    kept_discord, kept_mail = discord or KeepingChannel(), mail or KeepingChannel("email")
    chosen = AlertSettings(**{"quiet_start_seconds": 0.0, "process": "api", **settings})  # type: ignore[arg-type]
    make_discord: Callable[[], KeepingChannel] = lambda: kept_discord  # noqa: E731
    alerts = Alerts(chosen, Channels(make_discord, lambda: kept_mail), clock=clock)
    return AlertBench(clock, alerts, kept_discord, kept_mail)
