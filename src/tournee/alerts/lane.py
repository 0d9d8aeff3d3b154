"""One channel's queue: what waits for it, when it may be tried again, and what became of what was sent.

Keeps: at most `limit` messages wait, the latest telling of an incident in the place of earlier ones; at most one
sending is under way; a channel that fails is left alone for longer each time, one that closed for good is left alone
for ever.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from tournee.alerts.ports import Channel, Closed, Message, Phase, RateLimited, Refused
from tournee.alerts.rules import back_off_seconds

log = structlog.get_logger(__name__)

LONGEST_LIMIT_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class LaneCounts:
    """What became of a channel's messages since the start, and how it is."""

    sent: int
    requests: int
    dropped: int
    merged: int
    failures: int
    waiting: int
    closed: bool


class Lane:
    """The way to one channel. Lives in one event loop."""

    def __init__(
        self,
        channel: Channel,
        *,
        limit: int = 100,
        gap_seconds: float = 1.0,
        on_lost: Callable[[Sequence[Message]], None] = lambda _messages: None,
    ) -> None:
        self.channel = channel
        self._limit = limit
        self._gap_seconds = gap_seconds
        self._on_lost = on_lost
        self._waiting: dict[str, Message] = {}
        self._sending: asyncio.Task[None] | None = None
        self._next_at = float("-inf")
        self._alone = False
        self._failed_in_row = 0
        self._counts: Counter[str] = Counter()
        self.failing_since: float | None = None
        self.closed = False

    @property
    def waiting(self) -> Sequence[Message]:
        return list(self._waiting.values())

    @property
    def busy(self) -> bool:
        return self._sending is not None and not self._sending.done()

    def put(self, message: Message) -> None:
        """Queue it; goes before an earlier telling of the same incident, which it replaces."""
        earlier = self._waiting.pop(message.incident, None)
        if earlier is not None:
            self._counts["merged"] += 1
        elif len(self._waiting) >= self._limit:
            self._drop_least()
        self._waiting[message.incident] = message

    def step(self, now: float) -> None:
        """Begin to send what waits, if the channel may be tried now. Returns at once."""
        if self.busy or self.closed or not self._waiting or now < self._next_at:
            return
        batch = self.waiting
        batch = batch[: 1 if self._alone else max(1, self.channel.count_fitting(batch))]
        self._sending = asyncio.create_task(self._send(batch, now), name=f"alerts to {self.channel.name}")

    def hurry(self) -> None:
        """Send without pauses from now on, whatever it was left alone for; after a failure it is left alone as ever."""
        self._next_at, self._gap_seconds = float("-inf"), 0.0

    def moves_before(self, until: float) -> bool:
        """Whether a sending is under way, or may begin before that time."""
        return self.busy or (bool(self._waiting) and not self.closed and self._next_at <= until)

    def abandon(self) -> None:
        """Give up what waits. It counts as dropped."""
        self._counts["dropped"] += len(self._waiting)
        self._waiting = {}

    async def settle(self) -> None:
        """Return when no sending is under way."""
        if self._sending is not None:
            await asyncio.gather(self._sending, return_exceptions=True)

    async def close(self) -> None:
        """Give up what is under way."""
        if self._sending is not None:
            self._sending.cancel()
            await self.settle()
        await self.channel.close()

    def snapshot(self) -> LaneCounts:
        """Counts since the start."""
        counts = self._counts
        return LaneCounts(
            sent=counts["sent"],
            requests=counts["requests"],
            dropped=counts["dropped"],
            merged=counts["merged"],
            failures=counts["failures"],
            waiting=len(self._waiting),
            closed=self.closed,
        )

    async def _send(self, batch: Sequence[Message], now: float) -> None:
        self._counts["requests"] += 1
        try:
            pause_seconds = await self.channel.send(batch)
        except RateLimited as limited:
            # Being limited is an answer: the channel is there, and says when to come back.
            self._next_at = now + min(max(limited.seconds, self._gap_seconds), LONGEST_LIMIT_SECONDS)
            self._counts["limited"] += 1
            if self.failing_since is None:
                self.failing_since = now
        except Refused as refused:
            self._note_refused(batch, now, refused)
        except Closed as closed:
            self.closed = True
            log.error("alerts are not taken any more", channel=self.channel.name, reason=str(closed))  # noqa: TRY400
            # No stack: the answer says it all.
            self._lose(self.waiting)
        except Exception as error:
            self._note_failure(now, error)
        else:
            self._counts["sent"] += len(batch)
            self._failed_in_row, self.failing_since = 0, None
            self._alone = self._alone and bool(self._waiting)
            self._next_at = now + max(pause_seconds, self._gap_seconds)
            self._forget(batch)

    def _note_refused(self, batch: Sequence[Message], now: float, error: Exception) -> None:
        """One of these is not taken: send them one by one, and give up the one that is refused alone."""
        self._next_at = now + self._gap_seconds
        log.error("an alert was refused", channel=self.channel.name, reason=str(error), messages=len(batch))
        if len(batch) == 1:
            self._lose(batch)
        self._alone = True

    def _note_failure(self, now: float, error: Exception) -> None:
        self._failed_in_row += 1
        self._counts["failures"] += 1
        if self.failing_since is None:
            self.failing_since = now
        self._next_at = now + back_off_seconds(self._failed_in_row)
        log.warning(
            "an alert could not be sent and waits",
            channel=self.channel.name,
            error=type(error).__name__,
            reason=str(error),
        )

    def _forget(self, batch: Sequence[Message]) -> None:
        for message in batch:
            # A later telling may have taken its place meanwhile.
            if self._waiting.get(message.incident) is message:
                del self._waiting[message.incident]

    def _lose(self, messages: Sequence[Message]) -> None:
        self._counts["dropped"] += len(messages)
        self._forget(messages)
        self._on_lost(messages)

    def _drop_least(self) -> None:
        """Make room: an end goes first, then the oldest."""
        ended = (message for message in self._waiting.values() if message.phase is Phase.ENDED)
        self._lose([next(ended, next(iter(self._waiting.values())))])
