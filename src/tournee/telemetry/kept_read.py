"""A read that is never made more often than it may cost, and never waited for longer than a scrape may."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import structlog

log = structlog.get_logger(__name__)

T = TypeVar("T")

COST_FACTOR = 20
"""An answer is kept for twenty times as long as it took: at most a twentieth of one connection's time."""


class KeptRead(Generic[T]):
    """The answer of `read`, at least `least_seconds` old before it is asked again; None while it can't be had.
    `cost_factor` 0: it costs next to nothing, and nobody wants to know how it was.
    """

    def __init__(
        self,
        read: Callable[[], Awaitable[T]],
        least_seconds: float,
        timeout_seconds: float,
        cost_factor: float = COST_FACTOR,
    ) -> None:
        self._read = read
        self._least_seconds = least_seconds
        self._timeout_seconds = timeout_seconds
        self._cost_factor = cost_factor
        self._due = 0.0
        self._failing = False
        self._asking: asyncio.Future[T] | None = None
        self.answer: T | None = None
        self.read_at: float | None = None
        """When the answer was had, by the monotonic clock."""

    async def refresh(self) -> None:
        """Ask again if it is due. Whatever hinders it leaves None, is logged when it begins, and is asked again with
        the next scrape.
        """
        began = time.monotonic()
        if began < self._due:
            return
        try:
            self.answer = await self._ask()
        except Exception as error:
            self.answer = self.read_at = None
            if not self._failing:
                log.warning("figures can't be read", error=repr(error))
            self._failing = True
            return
        self._failing = False
        self.read_at = time.monotonic()
        self._due = self.read_at + max(self._least_seconds, self._cost_factor * (self.read_at - began))

    def stop(self) -> None:
        """Give up what still hangs."""
        if self._asking is not None:
            self._asking.cancel()

    async def _ask(self) -> T:
        # A driver may take longer to give up than the call took to hang, and there is no waiting for that either.
        if self._asking is not None and not self._asking.done():
            raise TimeoutError("the last question is still open")
        self._asking = asyncio.ensure_future(self._read())
        self._asking.add_done_callback(_take_exception)
        done, _ = await asyncio.wait({self._asking}, timeout=self._timeout_seconds)
        if not done:
            self._asking.cancel()
            raise TimeoutError(f"no answer within {self._timeout_seconds:g} s")
        return self._asking.result()


def _take_exception(asked: asyncio.Future[T]) -> None:
    if not asked.cancelled():
        asked.exception()
