"""The services that one process at a time plays: rescuer, reconciler, projection, leftovers, pruner, scheduler.

Owns who runs what how often. Keeps that each acts only under its own lease row, that every process watches the
heartbeats whether it leads or not, and that a rescuer that could not write forgets what it saw.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from tournee.engine.core.job import QueueName, WorkerId
from tournee.engine.maintenance.dead_letters import DeadLetterProjection
from tournee.engine.maintenance.leader import Leadership
from tournee.engine.maintenance.pruner import Pruner
from tournee.engine.maintenance.reconciler import Reconciler
from tournee.engine.maintenance.rescuer import Rescuer
from tournee.engine.maintenance.scheduler import Scheduler
from tournee.engine.maintenance.service import Service, drop_answer
from tournee.engine.maintenance.settings import EngineSettings
from tournee.engine.ports import NOBODY, Broker, JobStore, LedgerContended, LedgerUnavailable, Observer
from tournee.engine.registry import Registry

AFTERLOOKS_SECONDS = (0.02, 0.1, 0.3)
"""When the rescuer looks again after a death. What a dead process had locked is passed over until its session in
PostgreSQL has rolled back, a moment later."""


@dataclass(frozen=True, slots=True)
class CrewTools:
    """What the services work with; `nudge` wakes the relay of a queue, or of all."""

    store: JobStore
    broker: Broker
    registry: Registry
    reconciler: Reconciler
    projection: DeadLetterProjection
    nudge: Callable[[QueueName | None], None]
    observer: Observer = NOBODY


class Crew:
    """One process's share in maintenance; its services are started and stopped by the engine."""

    def __init__(self, tools: CrewTools, settings: EngineSettings, holder: WorkerId) -> None:
        self._tools = tools
        self._settings = settings
        self._holder = holder
        self._rescuer = Rescuer(tools.store, settings.lease_seconds, tools.registry.find_death_hook, tools.observer)
        # A short lead: the process that led may be the one whose jobs wait for their rescue.
        lead_for = timedelta(seconds=3 * settings.look_seconds)
        self._rescue_lead = Leadership(tools.store, "rescuer", holder, lead_for)
        pruner = Pruner(tools.store, settings.horizon)
        self._rescuing = Service("rescuer", self._rescue, settings.look_seconds)
        self.services = [
            self._rescuing,
            self._led("reconciler", self._compare_all, settings.compare_seconds),
            self._led("dead letters", tools.projection.project_changes, settings.project_seconds),
            self._led("leftovers", self._discard_leftovers, settings.leftovers_seconds),
            self._led("pruner", drop_answer(pruner.prune), settings.prune_seconds),
            *self._fire_schedules(),
        ]

    def nudge_rescue(self) -> None:
        """A death was told to the ledger: look now."""
        self._rescuing.nudge()

    def _fire_schedules(self) -> list[Service]:
        # Each schedule has a lead of its own, because processes may declare different ones.
        schedules, interval_seconds = self._tools.registry.schedules, self._settings.schedule_seconds
        lead_for = timedelta(seconds=max(3 * interval_seconds, self._settings.lease_seconds))
        scheduler = Scheduler(self._tools.store, schedules, self._holder, lead_for)
        return [Service("scheduler", drop_answer(scheduler.run), interval_seconds)] if schedules else []

    def _led(self, role: str, run: Callable[[], Awaitable[None]], interval_seconds: float) -> Service:
        duration = timedelta(seconds=max(3 * interval_seconds, self._settings.lease_seconds))
        leadership = Leadership(self._tools.store, role, self._holder, duration)

        async def run_if_leader() -> None:
            if await leadership.take():
                await run()

        return Service(role, run_if_leader, interval_seconds)

    async def _rescue(self) -> None:
        try:
            # Taking the lead is also the write that must succeed for what this process sees to count.
            leads = await self._rescue_lead.take()
        except (LedgerUnavailable, LedgerContended):
            self._rescuer.forget()
            raise
        rescued = await self._rescuer.rescue(leads=leads)
        if rescued.returned:
            self._tools.nudge(None)
        if rescued.workers:
            loop = asyncio.get_running_loop()
            for seconds in AFTERLOOKS_SECONDS:
                loop.call_later(seconds, self._rescuing.nudge)
            # The dead may also have fetched what they never claimed: only a look into Redis tells.
            await self._compare_all()

    async def _compare_all(self) -> None:
        await self._tools.store.close_unguarded_breakers()
        for queue in self._tools.registry.queues:
            if (await self._tools.reconciler.compare(queue.name)).returned:
                self._tools.nudge(queue.name)

    async def _discard_leftovers(self) -> None:
        for queue in self._tools.registry.queues:
            await self._tools.reconciler.discard_leftovers(queue.name)
