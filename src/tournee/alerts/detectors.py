"""Down detectors: a probe, a rule that a single slow answer does not impress, and what is reported.

Keeps: a look takes at most `timeout_seconds`, whatever the server does; they run in the alert thread, so that they see
what happens while everything else hangs.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass

import structlog

from tournee.alerts import conditions
from tournee.alerts.conditions import CONDITIONS, Condition
from tournee.alerts.incidents import Fault
from tournee.alerts.monitor import Monitor
from tournee.alerts.ports import Probe
from tournee.alerts.probes import DiskProbe
from tournee.alerts.rules import Hysteresis, Level
from tournee.kit.clock import SYSTEM_CLOCK, Clock

log = structlog.get_logger(__name__)

DISK_LOOK_SECONDS = 60.0
DISK_SLACK = 1.2
"""A disk has room again once there is a fifth more than what alarmed."""


@dataclass(frozen=True, slots=True)
class DetectorSettings:
    """How one detector looks. `tells` False: another process tells; this one looks when an error makes it wonder, and
    only to know what explains it.
    """

    interval_seconds: float = 2.0
    timeout_seconds: float = 1.0
    pause_seconds: float = 0.4
    """Between two looks while the latest speaks against what was believed."""
    fails: int = 2
    passes: int = 2
    tells: bool = True


class Detector:
    """Watches one store."""

    def __init__(
        self,
        condition: Condition,
        subject: str,
        probe: Probe,
        settings: DetectorSettings | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.condition = condition
        self._subject = subject
        self._probe = probe
        self._settings = settings or DetectorSettings()
        self._clock = clock
        self._rule = Hysteresis(self._settings.fails, self._settings.passes)
        self._nudged = asyncio.Event()
        self.looks = 0

    @property
    def down(self) -> bool:
        return self._rule.down

    def nudge(self) -> None:
        """Something speaks for its being down: look now. Call it in the alert thread."""
        self._nudged.set()

    async def run(self, monitor: Monitor) -> None:
        """Look for ever, and report to the monitor."""
        try:
            while True:
                self._nudged.clear()
                await self.look(monitor)
                await self._wait()
        finally:
            monitor.book.note_look(self.condition.name, 0.0, watched=False)
            await self._probe.close()

    async def look(self, monitor: Monitor) -> None:
        """Look once."""
        began = self._clock.monotonic()
        reason = await self._find_fault()
        self.looks += 1
        changed = self._rule.observe(reason is None, began)
        if reason is None and not self._rule.down:
            monitor.book.note_look(self.condition.name, began)
        if not changed:
            return
        if self._rule.down:
            fault = Fault(self.condition, "", self._subject, {"error": reason or ""}, silent=not self._settings.tells)
            monitor.report(fault, since=self._rule.since)
        else:
            monitor.clear(self.condition.name, since=self._rule.since)

    async def _find_fault(self) -> str | None:
        """The class of what went wrong; None: it answered."""
        look = asyncio.create_task(self._probe.look())
        # Not a time limit around it: what a cancelled look does to clean up may hang as well.
        done, _ = await asyncio.wait({look}, timeout=self._settings.timeout_seconds)
        if not done:
            look.cancel()
            look.add_done_callback(_forget_outcome)
            return TimeoutError.__name__
        error = look.exception()
        return type(error).__name__ if error is not None else None

    async def _wait(self) -> None:
        settings = self._settings
        if self._rule.wavers or (self._rule.down and not settings.tells):
            await asyncio.sleep(settings.pause_seconds)
            return
        with suppress(TimeoutError):
            # Who does not tell does not look either, unless an error makes it wonder.
            async with asyncio.timeout(settings.interval_seconds if settings.tells else None):
                await self._nudged.wait()
        await asyncio.sleep(min(0.05, settings.pause_seconds))


class DiskDetector:
    """Watches the room on the disk of a folder."""

    def __init__(self, folder_name: str, probe: DiskProbe, free_percent: float, clock: Clock = SYSTEM_CLOCK) -> None:
        self.condition = CONDITIONS[conditions.DISK_FULL]
        self._subject = folder_name
        self._probe = probe
        # A level of what is used, since it is the high value that alarms.
        self._rule = Level(100.0 - free_percent, 100.0 - free_percent * DISK_SLACK)
        self._clock = clock

    def nudge(self) -> None:
        """Errors say nothing about the disk."""

    async def run(self, monitor: Monitor) -> None:
        """Look for ever, and report to the monitor."""
        while True:
            await self.look(monitor)
            await asyncio.sleep(DISK_LOOK_SECONDS)

    async def look(self, monitor: Monitor) -> None:
        """Look once. A disk that can't be asked changes nothing."""
        try:
            free = await self._probe.read_free_percent()
        except OSError as error:
            log.warning("the disk can't be asked how full it is", error=type(error).__name__)
            return
        if not self._rule.observe(100.0 - free):
            return
        if self._rule.alarmed:
            monitor.report(Fault(self.condition, "", self._subject, {"free": f"{int(free)} %"}))
        else:
            monitor.clear(self.condition.name)


def _forget_outcome(task: asyncio.Task[None]) -> None:
    """Nobody waits for it any more; an error nobody reads would be complained about."""
    if not task.cancelled():
        task.exception()
