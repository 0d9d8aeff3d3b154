"""Alerting of one process: a thread with a small event loop of its own.

Lifecycle contract: `start` returns at once; `stop` lets what waits be sent within its time limit, by e-mail in
Discord's place where it matters, logs what reached nobody, and returns when nothing of it runs any more; a process that
ends without `stop` is not held up. In a thread of its own, because it must look and tell when the program's event loop
hangs, is blocked, or is not there at all. A child that is forked after `start` tells of its own errors: threads are not
inherited, so it starts one with the first of them, and leaves it to its parent to tell of the stores.
"""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from tournee.alerts.dispatcher import Dispatcher
from tournee.alerts.incidents import Moment
from tournee.alerts.lane import LaneCounts
from tournee.alerts.loop import AlertLoop
from tournee.alerts.messages import compose_message
from tournee.alerts.monitor import Monitor, MonitorCounts
from tournee.alerts.ports import Channel
from tournee.alerts.settings import AlertSettings
from tournee.kit.clock import SYSTEM_CLOCK, Clock

log = structlog.get_logger(__name__)

STEP_SECONDS = 0.1
STOP_SECONDS = 5.0
DISCORD_SHARE = 0.5
"""So much of that time is Discord's; then e-mail takes over."""


class Watcher(Protocol):
    """What looks at something for ever and reports it: see `detectors`."""

    def nudge(self) -> None: ...

    async def run(self, monitor: Monitor) -> None: ...


@dataclass(frozen=True, slots=True)
class Channels:
    """Makes the channels, in the alert thread; None: there is no such channel."""

    discord: Callable[[], Channel] | None = None
    mail: Callable[[], Channel] | None = None


@dataclass(frozen=True, slots=True)
class AlertCounts:
    """What metrics show. `told`: tellings by condition; `channels`: what became of them."""

    told: Mapping[str, int]
    monitor: MonitorCounts
    channels: Mapping[str, LaneCounts]


class Alerts:
    """One process's monitor with its thread. `watchers` are made in the thread, too."""

    def __init__(
        self,
        settings: AlertSettings,
        channels: Channels | None = None,
        watchers: Callable[[], Sequence[Watcher]] = tuple,
        clock: Clock = SYSTEM_CLOCK,
        watchers_of_children: Callable[[], Sequence[Watcher]] = tuple,
    ) -> None:
        self.settings = settings
        self.monitor = Monitor(settings, clock)
        self._channels = channels or Channels()
        self._make_watchers = watchers
        self._make_watchers_of_children = watchers_of_children
        self._follows_forks = False
        self._clock = clock
        self._dispatcher: Dispatcher | None = None
        self._told: dict[str, int] = {}
        self._last_counts: Mapping[str, LaneCounts] = {}
        self._stopping = threading.Event()
        self._patience_seconds = STOP_SECONDS
        self._thread: threading.Thread | None = None

    # --- life

    def start(self) -> None:
        """Begin."""
        if not self._follows_forks:
            self._follows_forks = True
            _follow_forks(self)
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run_thread, name="alerts", daemon=True)
        self._thread.start()

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """End; see the module's contract. Blocks for at most a little more than `seconds`."""
        self._patience_seconds = seconds
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(seconds + STEP_SECONDS + 1.0)
            self._thread = None

    def continue_in_child(self) -> None:
        """Called in a child that was forked: nothing of the parent's is told here, and nothing is started yet."""
        if self._thread is None:
            return
        self._thread, self._dispatcher, self._told = None, None, {}
        self._stopping = threading.Event()
        self._make_watchers = self._make_watchers_of_children
        self.monitor.forget_all()
        self.monitor.wake = self.start

    def snapshot(self) -> AlertCounts:
        """Counts since the start. May be called from any thread."""
        dispatcher = self._dispatcher
        channels = dispatcher.snapshot() if dispatcher is not None else self._last_counts
        return AlertCounts(dict(self._told), self.monitor.snapshot(), channels)

    # --- one step, in the thread or in a test

    def step(self) -> None:
        """Digest what was recorded, tell what is to be told, send what may be sent. Call it in an event loop."""
        dispatcher = self._open_dispatcher()
        self.monitor.digest()
        now = Moment(self._clock.monotonic(), self._clock.now())
        for telling in self.monitor.book.tick(now):
            try:
                message = compose_message(telling, self.settings, now.wall)
            except Exception:
                # The others must be told nevertheless.
                log.exception("an alert could not be made", condition=telling.incident.fault.condition.name)
                continue
            self._told[message.condition] = self._told.get(message.condition, 0) + 1
            dispatcher.put(message)
        dispatcher.step(now.at)

    async def settle(self) -> None:
        """Return when no sending is under way."""
        await self._open_dispatcher().settle()

    async def close(self) -> None:
        """Close the channels; for whoever calls `step` itself."""
        if self._dispatcher is not None:
            self._last_counts = self._dispatcher.snapshot()
            await self._dispatcher.close()
            self._dispatcher = None

    def _open_dispatcher(self) -> Dispatcher:
        if self._dispatcher is None:
            discord, mail = self._channels.discord, self._channels.mail
            self._dispatcher = Dispatcher(self.settings, discord and discord(), mail and mail())
        return self._dispatcher

    # --- the thread

    def _run_thread(self) -> None:
        try:
            with asyncio.Runner(loop_factory=AlertLoop) as runner:
                runner.run(self._run())
        except Exception:
            log.exception("alerting ended")

    async def _run(self) -> None:
        watchers = self._make_watchers()

        def nudge_all() -> None:
            for watcher in watchers:
                watcher.nudge()

        self.monitor.on_suspicion = nudge_all
        tasks = [asyncio.create_task(self._watch(watcher)) for watcher in watchers]
        try:
            while not self._stopping.is_set():
                self._step_safely()
                await asyncio.sleep(STEP_SECONDS)
            await self._flush()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.close()

    async def _watch(self, watcher: Watcher) -> None:
        """A watcher that fails is logged and goes on."""
        while True:
            try:
                await watcher.run(self.monitor)
            except Exception:
                log.exception("a watcher failed and goes on")
            await asyncio.sleep(1.0)

    def _step_safely(self) -> None:
        try:
            self.step()
        except Exception:
            log.exception("an alert could not be made")

    async def _flush(self) -> None:
        """What was recorded is told: by Discord if it takes it soon, by e-mail where it matters, else by the log."""
        loop, patience_seconds = asyncio.get_running_loop(), self._patience_seconds
        began = loop.time()
        concluded = False
        self._step_safely()
        while (passed := loop.time() - began) < patience_seconds:
            if not concluded and not self._waits_for(patience_seconds * DISCORD_SHARE - passed):
                concluded = True
                self._conclude()
            if concluded and not self._open_dispatcher().tells_before(
                self._clock.monotonic() + patience_seconds - passed
            ):
                break
            await asyncio.sleep(STEP_SECONDS)
            self._step_safely()
        self._open_dispatcher().give_up()

    def _waits_for(self, seconds: float) -> bool:
        """Whether it is worth waiting so long, for a channel or for what may explain an error."""
        now = Moment(self._clock.monotonic(), self._clock.now())
        moves = self._open_dispatcher().moves_before(now.at + seconds)
        return seconds > 0 and (moves or self.monitor.book.holds_back(now))

    def _conclude(self) -> None:
        """There is no later: nothing is held back any more, and e-mail takes over."""
        self.monitor.book.conclude()
        self._step_safely()
        self._open_dispatcher().conclude()
        self._step_safely()


def _follow_forks(alerts: Alerts) -> None:
    """Nothing can be taken off that list again, so it must not keep alive what nobody else does."""
    known = weakref.ref(alerts)

    def continue_in_child() -> None:
        if (kept := known()) is not None:
            kept.continue_in_child()

    os.register_at_fork(after_in_child=continue_in_child)
