"""The enqueueing side: batches of jobs in transactions, as an API would make them, at an even pace.

What a batch holds is a function of seed and number, so that a batch whose COMMIT was not answered is enqueued again as
it was. Writes into the journal what was acknowledged and what was rolled back; claims nothing in between.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.chaos.workload import Bulk, Free, Mail, Task
from tests.support.invariants import Journal
from tournee.engine.client import (
    Engine,
    Enqueued,
    LedgerContended,
    LedgerUnavailable,
    Payload,
    Priority,
    Transaction,
)

BATCH = 40
ACTS = (
    ("plain",) * 30 + ("follow",) * 6 + ("flaky",) * 6 + ("snooze",) * 3 + ("step",) * 3 + ("slow",) * 2 + ("doomed",)
)


@dataclass(frozen=True, slots=True)
class GeneratorSettings:
    """How many jobs, from when (`time.time`) and for how long."""

    seed: int
    jobs: int
    began_at: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Group:
    """Payloads that one call enqueues."""

    payloads: list[Payload]
    priority: Priority = Priority.NORMAL
    delay: timedelta = timedelta(0)


@dataclass
class Generator:
    """Enqueues until all is acknowledged. `progress` survives the process: the next number to enqueue."""

    engine: Engine
    journal: Journal
    settings: GeneratorSettings
    progress: Path
    tell: Callable[[dict[str, Any]], None]
    going: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Say `done` at the end."""
        self.going.set()
        batches = -(-self.settings.jobs // BATCH)
        number = int(self.progress.read_text(encoding="ascii")) if self.progress.exists() else 0
        while number < batches:
            due = self.settings.began_at + self.settings.seconds * number / batches
            await asyncio.sleep(max(0.0, due - time.time()))
            await self.going.wait()
            await self._enqueue_until_answered(number)
            number += 1
            self.progress.write_text(str(number), encoding="ascii")
        self.tell({"event": "done"})

    def hold(self, held: bool) -> None:
        """Enqueue nothing for a while, or go on."""
        if held:
            self.going.clear()
        else:
            self.going.set()

    async def _enqueue_until_answered(self, number: int) -> None:
        while True:
            try:
                await self._enqueue_batch(number)
                return
            except (LedgerUnavailable, LedgerContended):
                await asyncio.sleep(0.2)

    async def _enqueue_batch(self, number: int) -> None:
        dice = random.Random(f"{self.settings.seed} batch {number}")
        size = min(BATCH, self.settings.jobs - number * BATCH)
        if dice.random() < 0.05:
            await self._roll_back(make_groups(dice, f"ghost-{number}", 10))
        groups = make_groups(dice, str(number), size)
        await self._commit(groups)
        if dice.random() < 0.03:
            # A caller that never got its answer asks again: every job must be found there.
            answers = await self._commit(groups)
            if any(answer.created for answer in answers):
                self.tell({"event": "violation", "what": f"batch {number} was acknowledged, and was not there"})

    async def _commit(self, groups: list[Group]) -> list[Enqueued]:
        async with self.engine.transaction() as tx:
            answers = await _enqueue_groups(tx, groups)
        for queue, keys in _list_keys(groups).items():
            self.journal.note_acknowledged(queue, keys)
        return answers

    async def _roll_back(self, groups: list[Group]) -> None:
        try:
            async with self.engine.transaction() as tx:
                await _enqueue_groups(tx, groups)
                raise ChangedMind
        except ChangedMind:
            for queue, keys in _list_keys(groups).items():
                self.journal.note_rolled_back(queue, keys)


class ChangedMind(Exception):
    """The caller rolls back."""


async def _enqueue_groups(tx: Transaction, groups: list[Group]) -> list[Enqueued]:
    answers: list[Enqueued] = []
    for group in groups:
        answers += await tx.enqueue_many(group.payloads, priority=group.priority, delay=group.delay)
    return answers


def _list_keys(groups: list[Group]) -> dict[str, list[str]]:
    keys: defaultdict[str, list[str]] = defaultdict(list)
    for group in groups:
        for payload in group.payloads:
            keys[type(payload).queue_name].append(payload.key())
    return keys


def make_groups(dice: random.Random, name: str, size: int) -> list[Group]:
    """The jobs of one batch: most of them normal and due, some urgent, some of a backfill, some later."""
    payloads = [_make_payload(dice, f"{name}-{place}") for place in range(size)]
    urgent, backfill, later = size // 10, size // 10, size // 20
    cuts = [urgent, urgent + backfill, urgent + backfill + later]
    groups = [
        Group(payloads[: cuts[0]], priority=Priority.URGENT),
        Group(payloads[cuts[0] : cuts[1]], priority=Priority.BACKFILL),
        Group(payloads[cuts[1] : cuts[2]], delay=timedelta(seconds=dice.uniform(0.5, 8.0))),
        Group(payloads[cuts[2] :]),
    ]
    return [group for group in groups if group.payloads]


def _make_payload(dice: random.Random, key: str) -> Payload:
    roll, who = dice.random(), f"tenant-{dice.randrange(7)}"
    if roll < 0.40:
        return Free(key_text=key, who=who)
    if roll < 0.55:
        return Bulk(key_text=key, act="flaky" if dice.random() < 0.05 else "plain")
    if roll < 0.60:
        return Mail(key_text=key)
    act = dice.choice(ACTS)
    return Task(key_text=key, act=act, who=who, follow_ups=dice.randint(1, 3) if act == "follow" else 0)
