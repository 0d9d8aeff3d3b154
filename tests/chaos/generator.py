"""The callers: batches of jobs, posted to the API over HTTP, by several at once, at an even pace.

What a batch holds is a function of seed and number, so that a batch whose answer never came is posted again as it was.
Writes into the journal what was acknowledged and what was rolled back; claims nothing in between.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.chaos.api import CREATED, PATH, ROLLED_BACK, Group, Order
from tests.chaos.calls import BROKEN, LATE, LIMIT_SECONDS, REFUSED, Call, CallLog
from tests.chaos.workload import Bulk, Free, Mail, Task
from tests.support.invariants import Journal
from tournee.engine.client import Payload, Priority

BATCH = 50
CALLERS = 3
"""How many requests are under way at once, at most."""
PAUSE_SECONDS = 0.2
EXTRA_SECONDS = 0.4
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


class Unanswered(Exception):
    """Neither 201 nor 409: nobody knows what became of it."""


@dataclass(frozen=True)
class Client:
    """Posts, and writes down what came of it."""

    http: httpx.AsyncClient
    journal: Journal
    log: CallLog

    async def enqueue(self, groups: list[Group]) -> list[tuple[int, bool]]:
        """Each job's id, and whether it is new; raises `Unanswered`."""
        answer = await self._post(Order(groups=groups))
        if answer.status_code != CREATED:
            raise Unanswered
        for queue, keys in _list_keys(groups).items():
            self.journal.note_acknowledged(queue, keys)
        return [(job_id, created) for job_id, created in answer.json()["jobs"]]

    async def roll_back(self, groups: list[Group]) -> None:
        """Have it enqueued and rolled back; raises `Unanswered`."""
        answer = await self._post(Order(groups=groups, changes_mind=True))
        if answer.status_code != ROLLED_BACK:
            raise Unanswered
        for queue, keys in _list_keys(groups).items():
            self.journal.note_rolled_back(queue, keys)

    async def _post(self, order: Order) -> httpx.Response:
        began_at, outcome = time.time(), BROKEN
        try:
            async with asyncio.timeout(LIMIT_SECONDS):
                answer = await self.http.post(PATH, content=order.model_dump_json())
            outcome = str(answer.status_code)
            return answer
        except TimeoutError as error:
            outcome = LATE
            raise Unanswered from error
        except httpx.ConnectError as error:
            outcome = REFUSED
            raise Unanswered from error
        except httpx.TransportError as error:
            raise Unanswered from error
        finally:
            self.log.note(Call(began_at, time.time(), outcome))


@dataclass
class Generator:
    """Posts until all is acknowledged. Files beside `progress` survive the process: each caller's next batch."""

    client: Client
    settings: GeneratorSettings
    progress: Path
    tell: Callable[[dict[str, Any]], None]
    going: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Say `done` at the end."""
        self.going.set()
        async with asyncio.TaskGroup() as callers:
            for caller in range(CALLERS):
                callers.create_task(self._call(caller))
        self.tell({"event": "done"})

    async def _call(self, caller: int) -> None:
        """Every batch whose number is this caller's turn."""
        progress = self.progress.with_suffix(f".{caller}")
        batches = -(-self.settings.jobs // BATCH)
        number = int(progress.read_text(encoding="ascii")) if progress.exists() else caller
        while number < batches:
            due = self.settings.began_at + self.settings.seconds * number / batches
            await asyncio.sleep(max(0.0, due - time.time()))
            await self.going.wait()
            await self._post_until_answered(number)
            number += CALLERS
            progress.write_text(str(number), encoding="ascii")

    def hold(self, held: bool) -> None:
        """Post nothing for a while, or go on."""
        if held:
            self.going.clear()
        else:
            self.going.set()

    async def post_extra(self, name: str) -> None:
        """Some small requests over the next seconds, beside the load or after it."""
        for step in range(8):
            with suppress(Unanswered):
                await self.client.enqueue(make_groups(random.Random(name), f"{name}-{step}", 5))
            await asyncio.sleep(EXTRA_SECONDS)

    async def _post_until_answered(self, number: int) -> None:
        while True:
            try:
                await self._post_batch(number)
                return
            except Unanswered:
                await asyncio.sleep(PAUSE_SECONDS)

    async def _post_batch(self, number: int) -> None:
        dice = random.Random(f"{self.settings.seed} batch {number}")
        size = min(BATCH, self.settings.jobs - number * BATCH)
        if dice.random() < 0.05:
            await self.client.roll_back(make_groups(dice, f"ghost-{number}", 10))
        groups = make_groups(dice, str(number), size)
        first = await self.client.enqueue(groups)
        if dice.random() < 0.03:
            # A caller that never got its answer asks again: every job must be found there, under the same id.
            again = await self.client.enqueue(groups)
            if again != [(job_id, False) for job_id, _ in first]:
                self.tell({"event": "violation", "what": f"batch {number} was acknowledged, and was not there"})


def _list_keys(groups: Sequence[Group]) -> dict[str, list[str]]:
    keys: defaultdict[str, list[str]] = defaultdict(list)
    for group in groups:
        for payload in group.read_payloads():
            keys[type(payload).queue_name].append(payload.key())
    return keys


def make_groups(dice: random.Random, name: str, size: int) -> list[Group]:
    """The jobs of one batch: most of them normal and due, some urgent, some of a backfill, some later."""
    payloads = [_make_payload(dice, f"{name}-{place}") for place in range(size)]
    urgent, backfill, later = size // 10, size // 10, size // 20
    cuts = [urgent, urgent + backfill, urgent + backfill + later]
    groups = [
        Group.of(payloads[: cuts[0]], Priority.URGENT),
        Group.of(payloads[cuts[0] : cuts[1]], Priority.BACKFILL),
        Group.of(payloads[cuts[1] : cuts[2]], delay_seconds=dice.uniform(0.5, 8.0)),
        Group.of(payloads[cuts[2] :]),
    ]
    return [group for group in groups if group.jobs]


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
