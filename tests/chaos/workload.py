"""The jobs of a chaos run and their handlers: a mix of all that a job can do.

Every handler first notes its start in the journal, and writes its effect in its own transaction; what is asked of it
stands in its payload. The checks of the invariants read both.
"""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from tests.chaos.points import Points
from tests.support.invariants import Journal, insert_effect, record_effect
from tournee.engine.client import (
    Batch,
    DeadJob,
    Job,
    Payload,
    ProviderUnavailable,
    Registry,
    RetryPolicy,
    Snooze,
    Transaction,
)

EFFECT_FREE = ("free",)
QUEUES = ("work", "free", "bulk", "mail", "follow")
CONCURRENCY = {"work": 10, "free": 20, "bulk": 20, "mail": 4, "follow": 8}
PROVIDER = "post"
QUICK = RetryPolicy(base=timedelta(milliseconds=300), factor=2.0, jitter=0.3)
TIME_LIMIT = timedelta(seconds=15)

SCHEMA = """
CREATE SCHEMA IF NOT EXISTS chaos;
CREATE TABLE IF NOT EXISTS chaos.deaths (job_id bigint NOT NULL);
CREATE TABLE IF NOT EXISTS chaos.steps (job_id bigint NOT NULL, lease int NOT NULL);
CREATE TABLE IF NOT EXISTS chaos.accounts (name int PRIMARY KEY, moves int NOT NULL);
INSERT INTO chaos.accounts VALUES (0, 0), (1, 0) ON CONFLICT DO NOTHING;
"""


class Task(Payload, queue="work", kind="task"):
    """A job with effects; `act` says what else it does."""

    key_text: str
    act: str = "plain"
    who: str = ""
    follow_ups: int = 0

    def key(self) -> str:
        return self.key_text

    def tenant(self) -> str:
        return self.who


class Free(Payload, queue="free", kind="free"):
    """A job without effects."""

    key_text: str
    who: str = ""

    def key(self) -> str:
        return self.key_text

    def tenant(self) -> str:
        return self.who


class Bulk(Payload, queue="bulk", kind="bulk"):
    """A job that is done together with others."""

    key_text: str
    act: str = "plain"

    def key(self) -> str:
        return self.key_text


class Mail(Payload, queue="mail", kind="mail"):
    """A job that needs the provider."""

    key_text: str

    def key(self) -> str:
        return self.key_text


class Follow(Payload, queue="follow", kind="follow"):
    """What a task enqueues. The parent's lease is in the key, or a second one would be taken for the first."""

    parent: int
    lease: int
    place: int

    def key(self) -> str:
        return f"{self.parent}/{self.lease}/{self.place}"


class Novel(Payload, queue="work", kind="novel"):
    """A kind that workers learn only in the course of the run."""

    key_text: str

    def key(self) -> str:
        return self.key_text


@dataclass(frozen=True)
class Handlers:
    """What the workers do. `folder` holds the flag that says that the provider is down."""

    journal: Journal
    points: Points
    folder: Path

    async def work(self, job: Job[Task]) -> None:
        self.journal.note_start(job)
        await self.points.pass_by("handling")
        await self._act(job)
        async with job.transaction() as tx:
            await record_effect(tx, job)
            if job.payload.act in ("cross", "across"):
                await _move_crosswise(tx, first=int(job.payload.act == "cross"))
            places = range(job.payload.follow_ups)
            await tx.enqueue_many([Follow(parent=job.id, lease=job.claimed.lease, place=n) for n in places])
        await self.points.pass_by("committed")

    async def _act(self, job: Job[Task]) -> None:
        first = job.claimed.lease == 1
        match job.payload.act:
            case "flaky" if job.attempt_number == 1:
                raise ValueError("fails once")
            case "doomed":
                raise ValueError("fails always")
            case "snooze" if first:
                raise Snooze(timedelta(milliseconds=200))
            case "slow":
                await asyncio.sleep(0.8)
            case "lasting":
                await asyncio.sleep(2.5)
            case "step":
                async with job.step() as tx:
                    await tx.connection.execute("INSERT INTO chaos.steps VALUES ($1, $2)", job.id, job.claimed.lease)
            case "poison":
                self.journal.note_kill(job)
                os.kill(os.getpid(), signal.SIGSEGV)
            case _:
                pass

    async def do_free(self, job: Job[Free]) -> None:
        self.journal.note_start(job)

    async def do_bulk(self, batch: Batch[Bulk]) -> None:
        self.journal.note_batch_start(batch)
        await self.points.pass_by("handling-batch")
        for job in batch.jobs:
            if job.payload.act == "flaky" and job.attempt_number == 1:
                batch.fail(job, ValueError("this one fails once"))
        done = [job for job in batch.jobs if job.id not in batch.failures]
        async with batch.transaction() as tx:
            for job in done:
                await insert_effect(tx.connection, job.id, job.claimed.lease)

    async def send(self, job: Job[Mail]) -> None:
        self.journal.note_start(job)
        if (self.folder / "provider-is-down").exists():
            raise ProviderUnavailable(PROVIDER, "no answer")
        async with job.transaction() as tx:
            await record_effect(tx, job)

    async def follow(self, job: Job[Follow]) -> None:
        self.journal.note_start(job)
        async with job.transaction() as tx:
            await record_effect(tx, job)

    async def do_novel(self, job: Job[Novel]) -> None:
        self.journal.note_start(job)
        async with job.transaction() as tx:
            await record_effect(tx, job)

    async def note_death(self, tx: Transaction, job: DeadJob) -> None:
        await tx.connection.execute("INSERT INTO chaos.deaths VALUES ($1)", job.job_id)


async def _move_crosswise(tx: Transaction, first: int) -> None:
    """Two of these that meet wait for each other: PostgreSQL ends one of them."""
    for name in (first, 1 - first):
        await tx.connection.execute("UPDATE chaos.accounts SET moves = moves + 1 WHERE name = $1", name)
        await asyncio.sleep(0.05)


def build_registry(handlers: Handlers) -> Registry:
    """All queues; the kind `novel` is learned later."""
    registry = Registry()
    registry.declare_queue("mail", provider=PROVIDER)
    registry.add(Task, handlers.work, retry=QUICK, time_limit=TIME_LIMIT, on_dead=handlers.note_death)
    registry.add(Free, handlers.do_free, retry=QUICK, time_limit=TIME_LIMIT, effect_free=True)
    registry.add(Bulk, handlers.do_bulk, retry=QUICK, time_limit=TIME_LIMIT, batch=20)
    registry.add(Mail, handlers.send, retry=QUICK, time_limit=TIME_LIMIT)
    registry.add(Follow, handlers.follow, retry=QUICK, time_limit=TIME_LIMIT)
    return registry


def forget_novel(registry: Registry) -> None:
    """This process is of a release that did not know the kind yet. The product has no way to forget one."""
    registry._handlers.pop(Novel.kind, None)


def learn_novel(registry: Registry, handlers: Handlers) -> None:
    """A rolling deploy has reached this process."""
    if registry.find(Novel.kind) is None:
        registry.add(Novel, handlers.do_novel, retry=QUICK, time_limit=TIME_LIMIT)
