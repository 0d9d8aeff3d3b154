"""What alerting asks of the outside: a probe that looks, a channel that tells, and what a message is.

A channel keeps this contract: `send` returns once the receiver took responsibility, and says how long it must be left
alone; everything else is one of the errors below. It never waits longer than its own time limit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from tournee.alerts.conditions import Severity


class Phase(StrEnum):
    """Where an incident stands when it is told."""

    OPENED = "opened"
    ONGOING = "ongoing"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Message:
    """One telling of one incident, in the operator's language. Its texts hold no secret and no mail content.

    `incident` names it over all its tellings, so that a later one may replace an earlier one that was not sent yet.
    `mails`: it goes to the administrators' e-mail as well; `mail_stands_in`: and there instead, where Discord is away.
    """

    incident: str
    condition: str
    phase: Phase
    severity: Severity
    title: str
    text: str
    fields: Sequence[tuple[str, str]]
    meaning: str
    remedy: str
    link: str
    footer: str
    at: datetime
    mails: bool = False
    mail_stands_in: bool = True


class ChannelError(Exception):
    """A channel did not take a message."""


class Unreachable(ChannelError):
    """It did not answer, or failed on its side: later."""


class RateLimited(ChannelError):
    """It wants to be left alone for `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"not before {seconds:g} s")
        self.seconds = seconds


class Refused(ChannelError):
    """It takes others, but not this: a repeat would change nothing."""


class Closed(ChannelError):
    """It will take nothing any more: unknown, or our credentials are not good for it."""


class Channel(Protocol):
    """A way to somebody. Used from the alert thread's event loop alone."""

    name: str

    def count_fitting(self, messages: Sequence[Message]) -> int:
        """How many of these, from the first, one sending takes; at least 1."""

    async def send(self, messages: Sequence[Message]) -> float:
        """Tell them; answers for how many seconds the channel must be left alone. Raises `ChannelError`."""

    async def close(self) -> None: ...


class Probe(Protocol):
    """One small look at something outside, over a connection of its own."""

    async def look(self) -> None:
        """Return if it answers; raise whatever says that it does not. Bounded by whoever calls."""

    async def close(self) -> None: ...
