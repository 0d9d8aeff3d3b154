"""Injects the plan's faults: lanes side by side, each in order, what must be alone alone.

Owns the history of what was done. Invariant: a fault counts only if it was injected; one that found no occasion is
tried again a few times, then counted as missed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta

import asyncpg
from redis.exceptions import RedisError

from tests.chaos import faults_api, faults_network, faults_process, faults_redis, faults_store
from tests.chaos.catalogue import BY_NAME, Lane
from tests.chaos.injecting import Broken, Injector, Missed, slip_in
from tests.chaos.plan import PlannedFault
from tests.chaos.stage import Stage
from tests.chaos.workload import Free, Task
from tournee.engine.client import LedgerContended, LedgerUnavailable, Payload

INJECTORS: Mapping[str, Injector] = {
    **faults_process.INJECTORS,
    **faults_api.INJECTORS,
    **faults_network.INJECTORS,
    **faults_store.INJECTORS,
    **faults_redis.INJECTORS,
}
TRIES = 6
PAUSE_SECONDS = 2.0
"""Before a try that ran into another lane's fault is repeated: six outlast the longest fault on a busy machine too."""
LIMIT_SECONDS = 75.0
MEETING_FAULTS = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    RedisError,
    LedgerUnavailable,
    LedgerContended,
)
"""What an injector meets when a fault of another lane is in its way."""


@dataclass(frozen=True, slots=True)
class Injected:
    """One fault as it happened; times are `time.time`. `outcome`: injected, missed, skipped or broken."""

    fault: PlannedFault
    began_at: float
    ended_at: float
    outcome: str
    detail: str


class Calm:
    """Many faults at once, or one alone."""

    def __init__(self) -> None:
        self._condition = asyncio.Condition()
        self._running = 0
        self._waiting = 0

    @asynccontextmanager
    async def admit(self, *, alone: bool) -> AsyncIterator[None]:
        """Wait for one's turn; a fault that must be alone goes before those that come after it."""
        async with self._condition:
            self._waiting += alone
            await self._condition.wait_for(lambda: self._running == 0 if alone else not self._waiting)
            self._running += 1
        try:
            yield
        finally:
            async with self._condition:
                self._running -= 1
                self._waiting -= alone
                self._condition.notify_all()


@dataclass
class Nemesis:
    """Runs a plan. `say` is told of each fault."""

    stage: Stage
    plan: Sequence[PlannedFault]
    began_at: float
    say: Callable[[str], None]
    history: list[Injected] = field(default_factory=list)
    _calm: Calm = field(default_factory=Calm)

    async def run(self) -> None:
        """Return when every fault of the plan is over."""
        await asyncio.gather(*(self._run_lane([f for f in self.plan if f.lane is lane]) for lane in Lane))

    async def _run_lane(self, faults: Sequence[PlannedFault]) -> None:
        for fault in faults:
            await asyncio.sleep(max(0.0, self.began_at + fault.at_seconds - time.time()))
            async with self._calm.admit(alone=BY_NAME[fault.kind].alone):
                injected = await self._inject(fault)
            self.history.append(injected)
            seconds = injected.ended_at - injected.began_at
            at = injected.began_at - self.began_at
            self.say(f"{at:6.1f} s  {fault.kind:32} {injected.outcome:8} {seconds:5.1f} s  {injected.detail}")

    async def _inject(self, fault: PlannedFault) -> Injected:
        began_at = time.time()
        outcome, detail = "skipped", self.stage.refusals.get(fault.kind, "")
        for number in range(TRIES if not detail else 0):
            outcome, detail = await self._try(fault)
            if outcome != "missed":
                break
            await self._stir(f"stir-{fault.number}-{number}")
            began_at = time.time()
        return Injected(fault, began_at, time.time(), outcome, detail)

    async def _stir(self, name: str) -> None:
        """Work over the next seconds, for a lane that runs late: without any there is no occasion for its faults."""
        for caller in self.stage.callers:
            caller.send(do="post", name=name)
        with suppress(*MEETING_FAULTS):
            for step in range(8):
                payloads: list[Payload] = [Task(key_text=f"{name}-{step}-{place}") for place in range(8)]
                payloads += [Free(key_text=f"{name}-{step}-{place}") for place in range(8)]
                await slip_in(self.stage, payloads, timedelta(seconds=0.4 * step))

    async def _try(self, fault: PlannedFault) -> tuple[str, str]:
        try:
            async with asyncio.timeout(LIMIT_SECONDS):
                return "injected", await INJECTORS[fault.kind](self.stage, fault)
        except Missed as missed:
            return "missed", str(missed)
        except Broken as broken:
            return "broken", str(broken)
        except MEETING_FAULTS as error:
            await asyncio.sleep(PAUSE_SECONDS)
            return "missed", f"{type(error).__name__}: {error}"
        except Exception as error:
            # An injector that is wrong must not end the run: its kind is reported as never injected.
            return "missed", f"wrong injector: {error!r}"
