"""How long the engine waits for the answer to a short statement of its own.

A peer that is silent while its host still acknowledges what it is sent (a process that was stopped, a proxy that hangs)
is noticed by no time-out of the network; only the driver's limit for a command ends the wait, and that is made for
handlers' statements. Owns a shorter one, below the lease. Invariant: nobody is given up for being slow again and again:
a statement that was given up is waited for twice as long the next time, up to the driver's own limit. Who gives up
knows nothing about what was executed, and asks.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tournee.engine.ports import LedgerUnavailable

PROMPT_SECONDS = 4.0
"""Longer than a lock is waited for (3 s), which PostgreSQL itself ends with an error, and shorter than the lease."""
LONGEST_SECONDS = 32.0
"""Longer than the driver waits: no limit of ours any more."""


class Patience:
    """Limits by the name of what is waited for; there are as many as the engine has statements."""

    def __init__(self, prompt_seconds: float = PROMPT_SECONDS) -> None:
        self.prompt_seconds = prompt_seconds
        self._limits: dict[str, float] = {}

    def allow(self, name: str) -> float:
        """For how many seconds this is waited for now."""
        return self._limits.get(name, self.prompt_seconds)

    def note_answer(self, name: str, seconds: float) -> None:
        """It was answered: what is slow keeps some room, what is quick again needs none."""
        if name in self._limits:
            self._limits[name] = max(self.prompt_seconds, min(2 * seconds, LONGEST_SECONDS))

    def note_silence(self, name: str, allowed_seconds: float) -> None:
        """It was given up. Of many that were given up at once, each was allowed the same, and it doubles once."""
        self._limits[name] = max(self.allow(name), min(2 * allowed_seconds, LONGEST_SECONDS))

    @asynccontextmanager
    async def bound(self, name: str) -> AsyncIterator[None]:
        """Give up what is inside after its time, by cancelling it. Raises `LedgerUnavailable`."""
        loop, allowed = asyncio.get_running_loop(), self.allow(name)
        began, limit = loop.time(), asyncio.timeout(allowed)
        try:
            async with limit:
                yield
        except TimeoutError as error:
            if not limit.expired():
                raise
            self.note_silence(name, allowed)
            raise LedgerUnavailable(f"not answered within {allowed:g} s") from error
        self.note_answer(name, loop.time() - began)
