"""The operator's desk: the whole system at one moment, and the switches of queues and schedules.

Owns what an operator reads and turns beside jobs. Keeps: a look answers without Redis' figures while Redis is away, and
every switch is audited. Refuses to know how a stack is opened.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from tournee.bootstrap.observation import (
    sort_queues,
    to_mailbox_report,
    to_provider_report,
    to_queue_report,
    to_schedule_report,
    to_worker_report,
)
from tournee.bootstrap.services import Services, check_redis
from tournee.engine.client import BrokerUnavailable, Operator
from tournee.pipeline.store.console import ConsoleStore
from tournee.pipeline.store.costs import read_cost
from tournee.reports import Address, BulkOrder, CostReport, ReconcileReport, StatusReport


class OperatorDesk:
    """What an open stack answers operators."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._engine = services.engine

    async def read_status(self) -> StatusReport:
        """See the port."""
        console = ConsoleStore(self._services.pool)
        cost = await read_cost(self._services.pool)
        limits = {row.queue: row for row in await console.list_limits()}
        stack = self._services.stores.stack
        return StatusReport(
            home=str(self._services.settings.home),
            running=stack is not None and stack.lasts,
            addresses=[Address(name, url) for name, url in stack.addresses.items()] if stack else [],
            queues=sort_queues(
                to_queue_report(view, limits.get(view.ledger.queue)) for view in await self._engine.read_status()
            ),
            workers=[to_worker_report(row) for row in await self._engine.read_workers()],
            providers=[to_provider_report(row) for row in await self._engine.read_providers()],
            mailboxes=[to_mailbox_report(row) for row in await console.list_mailboxes()],
            cost=CostReport(**asdict(cost)),
            redis_memory_bytes=await self._read_memory(),
            schedules=[to_schedule_report(row) for row in await self._engine.schedules.list_rows()],
        )

    async def reconcile(self) -> Sequence[ReconcileReport]:
        """See the port."""
        await check_redis(self._services)
        return [
            ReconcileReport(
                queue=found.queue,
                epoch_mended=found.epoch_renewed,
                lost=found.returned,
                orphans=found.discarded,
            )
            for found in await self._engine.reconcile()
        ]

    async def switch_queue(self, name: str, order: BulkOrder, *, paused: bool) -> bool:
        """See the port."""
        act = self._engine.pause if paused else self._engine.resume
        return await act(name, Operator(order.actor, order.reason))

    async def switch_schedule(self, name: str, order: BulkOrder, *, paused: bool) -> bool:
        """See the port."""
        act = self._engine.schedules.pause if paused else self._engine.schedules.resume
        return await act(name, Operator(order.actor, order.reason))

    async def forget_schedule(self, name: str, order: BulkOrder) -> bool:
        """See the port."""
        return await self._engine.schedules.forget(name, Operator(order.actor, order.reason))

    async def _read_memory(self) -> int | None:
        try:
            return await self._services.broker.memory_bytes()
        except BrokerUnavailable:
            return None
