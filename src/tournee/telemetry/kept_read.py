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
    """The answer of `read`, at least `least_seconds` old before it is asked again; None while it can't be had."""

    def __init__(self, read: Callable[[], Awaitable[T]], least_seconds: float, timeout_seconds: float) -> None:
        self._read = read
        self._least_seconds = least_seconds
        self._timeout_seconds = timeout_seconds
        self._due = 0.0
        self._failing = False
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
            async with asyncio.timeout(self._timeout_seconds):
                self.answer = await self._read()
        except Exception as error:
            self.answer = self.read_at = None
            if not self._failing:
                log.warning("figures can't be read", error=repr(error))
            self._failing = True
            return
        self._failing = False
        self.read_at = time.monotonic()
        self._due = self.read_at + max(self._least_seconds, COST_FACTOR * (self.read_at - began))
