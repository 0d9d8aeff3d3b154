"""Answers that get lost: the two stores behind wrappers that raise what their ports may raise, when they are told to.

Owns the plan of faults. Each strikes once, at the next call of its name, whoever makes it: before the call (nothing
took effect) or after it (all did, and the answer was lost).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from tournee.engine.core.errors import LeaseLost
from tournee.engine.core.job import ClaimedJob, Dispatchable, QueueName
from tournee.engine.ports import (
    Broker,
    BrokerUnavailable,
    CommitUnknown,
    Fetched,
    Finished,
    JobStore,
    LedgerContended,
    LedgerUnavailable,
    Transaction,
)

KINDS = ("before", "after", "contended")


class FaultPlan:
    """What shall go wrong next. `struck` counts, so that a step can tell whether anything did."""

    def __init__(self, counted: Counter[str] | None = None) -> None:
        self._armed: dict[str, list[str]] = {}
        self._counted: Counter[str] = Counter() if counted is None else counted
        self.struck = 0

    def arm(self, call: str, kind: str) -> None:
        self._armed.setdefault(call, []).append(kind)

    def clear(self) -> None:
        self._armed.clear()

    def take(self, call: str) -> str | None:
        armed = self._armed.get(call)
        if not armed:
            return None
        self.struck += 1
        kind = armed.pop(0)
        self._counted[f"{call} {kind}"] += 1
        return kind


class FaultyStore:
    """The ledger as one process sees it. One that was killed never writes again."""

    def __init__(self, store: JobStore, plan: FaultPlan) -> None:
        self._store = store
        self._plan = plan
        self.killed = False

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._store, name)

        async def run(*arguments: Any, **options: Any) -> Any:
            if self.killed:
                raise LeaseLost("this process is dead")
            kind = self._plan.take(name)
            if kind == "contended":
                raise LedgerContended(f"{name}: injected")
            if kind == "before":
                raise LedgerUnavailable(f"{name}: injected, without effect")
            answer = await call(*arguments, **options)
            if kind == "after":
                raise LedgerUnavailable(f"{name}: injected, the answer was lost")
            return answer

        return run

    @asynccontextmanager
    async def complete_in_transaction(
        self, jobs: Sequence[ClaimedJob], completed: Callable[[], Sequence[ClaimedJob]]
    ) -> AsyncIterator[Transaction]:
        if self.killed:
            raise LeaseLost("this process is dead")
        kind = self._plan.take("complete_in_transaction")
        async with self._store.complete_in_transaction(jobs, completed) as transaction:
            yield transaction
            if kind == "contended":
                raise LedgerContended("injected")
            if kind == "before":
                # Raised inside, it rolls back: a COMMIT that never arrived.
                raise CommitUnknown("injected, without effect")
        if kind == "after":
            raise CommitUnknown("injected, the answer was lost")

    @asynccontextmanager
    async def step(self, job: ClaimedJob) -> AsyncIterator[Transaction]:
        if self.killed:
            raise LeaseLost("this process is dead")
        kind = self._plan.take("step")
        async with self._store.step(job) as transaction:
            yield transaction
            if kind in ("before", "contended"):
                raise LedgerUnavailable("step: injected, rolled back")
        if kind == "after":
            raise CommitUnknown("step: injected, the answer was lost")


class FaultyBroker:
    """The dispatcher as one process sees it. Remembers what the last exchange handed out."""

    def __init__(self, broker: Broker, plan: FaultPlan) -> None:
        self._broker = broker
        self._plan = plan
        self.handed_out: list[Fetched] = []
        self.before_add: Callable[[], Any] | None = None
        """Run between a relay's mark and its add, once."""

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._broker, name)

        async def run(*arguments: Any, **options: Any) -> Any:
            kind = self._plan.take(name)
            if kind in ("before", "contended"):
                raise BrokerUnavailable(f"{name}: injected, without effect")
            answer = await call(*arguments, **options)
            if kind == "after":
                raise BrokerUnavailable(f"{name}: injected, the answer was lost")
            return answer

        return run

    async def add(self, queue: QueueName, jobs: Sequence[Dispatchable]) -> None:
        """A fault loses all, the answer, or (contended) the later half."""
        between, self.before_add = self.before_add, None
        if between is not None:
            await between()
        kind = self._plan.take("add")
        added = {"before": 0, "contended": len(jobs) // 2}.get(kind or "", len(jobs))
        await self._broker.add(queue, jobs[:added])
        if kind is not None:
            raise BrokerUnavailable(f"add: injected, {added} of {len(jobs)} were added")

    async def exchange(
        self, queue: QueueName, finished: Sequence[Finished], fetch: int, worker_token: str
    ) -> list[Fetched]:
        kind = self._plan.take("exchange")
        if kind in ("before", "contended"):
            raise BrokerUnavailable("exchange: injected, without effect")
        fetched = await self._broker.exchange(queue, finished, fetch, worker_token)
        if kind == "after":
            raise BrokerUnavailable("exchange: injected, the answer was lost")
        self.handed_out = list(fetched)
        return fetched
