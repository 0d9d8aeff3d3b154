"""Who is told: Discord for everything, the administrators' e-mail for what is grave, and in Discord's place.

Keeps: a message that Discord did not take for a while, or never will, goes by e-mail, once; mails are far apart, so
that an outage of an hour makes a handful; what Discord missed is still posted when it is back. At the end there is no
later: what matters goes by e-mail at once, and what reached nobody is logged. Every telling is also a line in the log,
so that it is somewhere even if nobody can be reached.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import structlog

from tournee.alerts.conditions import Severity
from tournee.alerts.lane import Lane, LaneCounts
from tournee.alerts.ports import Channel, Message
from tournee.alerts.settings import AlertSettings

log = structlog.get_logger(__name__)


class Dispatcher:
    """Routes messages to the channels there are; either may be None. Lives in one event loop."""

    def __init__(self, settings: AlertSettings, discord: Channel | None, mail: Channel | None) -> None:
        self._settings = settings
        limit = settings.backlog_limit
        self._discord = Lane(discord, limit=limit, gap_seconds=2.0, on_lost=self._stand_in) if discord else None
        self._mail = Lane(mail, limit=limit, gap_seconds=settings.mail_gap_seconds) if mail else None
        self._mailed: dict[str, Message] = {}
        self._stood_in_at = float("-inf")
        self._standing_in: dict[str, Message] = {}

    def put(self, message: Message) -> None:
        """Tell it. Returns at once."""
        log.warning(
            "alert", condition=message.condition, phase=message.phase, title=message.title, incident=message.incident
        )
        if message.mails and self._mail is not None:
            self._put_mail(message)
        if self._discord is not None and not self._discord.closed:
            self._discord.put(message)
        else:
            self._stand_in([message])

    def step(self, now: float) -> None:
        """Send what may be sent now, and let e-mail stand in for a Discord that is away. Returns at once."""
        if self._discord is not None:
            self._discord.step(now)
            since = self._discord.failing_since
            if since is not None and now - since >= self._settings.escalate_seconds:
                self._stand_in(self._discord.waiting)
        if self._mail is None:
            return
        if self._standing_in and now - self._stood_in_at >= self._settings.escalation_gap_seconds:
            self._stood_in_at = now
            standing_in, self._standing_in = self._standing_in, {}
            for message in standing_in.values():
                self._put_mail(message)
        self._mail.step(now)

    async def settle(self) -> None:
        """Return when no sending is under way."""
        for lane in self._lanes:
            await lane.settle()

    async def close(self) -> None:
        """Give up what is under way."""
        for lane in self._lanes:
            await lane.close()

    # --- the end

    def moves_before(self, until: float) -> bool:
        """Whether a sending is under way, or one may begin before that time."""
        return any(lane.moves_before(until) for lane in self._lanes)

    def tells_before(self, until: float) -> bool:
        """As above, for what nobody was told of yet."""
        if self._mail is not None and self._mail.moves_before(until):
            return True
        discord = self._discord
        return discord is not None and discord.moves_before(until) and not all(map(self._is_mailed, discord.waiting))

    def conclude(self) -> None:
        """There will be no later: e-mail takes over at once what matters, whenever the last mail was."""
        if self._mail is None:
            return
        if self._discord is not None:
            self._stand_in(self._discord.waiting)
        standing_in, self._standing_in = self._standing_in, {}
        for message in standing_in.values():
            if message.severity is not Severity.WARNING:
                self._put_mail(message)
            elif self._discord is None or self._discord.closed:
                self._log_lost(message)
        self._mail.hurry()

    def give_up(self) -> None:
        """Nothing more will be sent: log what reached nobody."""
        posts = self._discord is not None and not self._discord.closed
        unposted = {message.incident: message for message in self._discord.waiting} if self._discord else {}
        unmailed = {message.incident: message for message in self._mail.waiting} if self._mail else {}
        for name, message in (unmailed | unposted).items():
            if not self._is_mailed(message) and not (posts and name not in unposted):
                self._log_lost(message)
        for lane in self._lanes:
            lane.abandon()

    def snapshot(self) -> Mapping[str, LaneCounts]:
        """Counts by channel, for metrics."""
        return {lane.channel.name: lane.snapshot() for lane in self._lanes}

    @property
    def _lanes(self) -> list[Lane]:
        return [lane for lane in (self._discord, self._mail) if lane is not None]

    def _stand_in(self, messages: Sequence[Message]) -> None:
        """E-mail in the place of Discord, for what was not mailed yet."""
        if self._mail is None:
            return
        for message in messages:
            mailed = self._mailed.get(message.incident)
            if message.mail_stands_in and (mailed is None or mailed.phase is not message.phase):
                self._standing_in[message.incident] = message

    def _log_lost(self, message: Message) -> None:
        log.error(
            "an alert reached nobody before the end",
            condition=message.condition,
            phase=message.phase,
            title=message.title,
            incident=message.incident,
        )

    def _is_mailed(self, message: Message) -> bool:
        """Whether the mail's receiver has taken it."""
        mailed = self._mailed.get(message.incident)
        waits = self._mail is not None and any(other.incident == message.incident for other in self._mail.waiting)
        return mailed is not None and mailed.phase is message.phase and not waits

    def _put_mail(self, message: Message) -> None:
        assert self._mail is not None
        self._standing_in.pop(message.incident, None)
        self._mailed[message.incident] = message
        while len(self._mailed) > self._settings.backlog_limit:
            del self._mailed[next(iter(self._mailed))]
        self._mail.put(message)
