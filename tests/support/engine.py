"""The engine on real servers, with handlers that a test scripts job by job.

Times are short, so that leases run out and comparisons come round while a test waits. What a handler does is a
function of the job's note; what it has done is read from the table `effects`, written in its own transaction.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from redis.asyncio import Redis

from tests.support.pools import make_patient
from tournee.db.pool import Pool, open_pool
from tournee.engine.bullmq.broker import BullmqBroker
from tournee.engine.bullmq.settings import BrokerSettings
from tournee.engine.client import (
    Batch,
    DeadJob,
    Engine,
    EngineSettings,
    Enqueued,
    Job,
    JobRow,
    Operator,
    Payload,
    QueueLimits,
    QueueName,
    Registry,
    RetryPolicy,
    Transaction,
    Worker,
    WorkerSettings,
)
from tournee.engine.core.limits import NO_LIMITS

WORK = QueueName("work")
FREE = QueueName("free")
BULK = QueueName("bulk")
OPERATOR = Operator("ann", "a test")
QUICK = RetryPolicy(base=timedelta(milliseconds=20), factor=1.0, jitter=0.0)

QUICK_ENGINE = EngineSettings(
    # Longer than the machine ever stands still: nobody is taken for dead unless a test wants it.
    lease_seconds=20.0,
    look_seconds=0.05,
    compare_seconds=0.1,
    project_seconds=0.1,
    leftovers_seconds=0.5,
    prune_seconds=0.5,
)
SHORT_LEASE = replace(QUICK_ENGINE, lease_seconds=1.0)
"""For tests in which a lease runs out."""


class Work(Payload, queue="work", kind="work"):
    """A job with effects."""

    n: int
    note: str = ""
    who: str = ""

    def key(self) -> str:
        return str(self.n)

    def tenant(self) -> str:
        return self.who


class Free(Payload, queue="free", kind="free"):
    """An effect-free job."""

    n: int

    def key(self) -> str:
        return str(self.n)


class Bulk(Payload, queue="bulk", kind="bulk"):
    """A job of a batch handler."""

    n: int
    note: str = ""

    def key(self) -> str:
        return str(self.n)


class FollowUp(Payload, queue="follow", kind="follow-up"):
    """What a job enqueues in its own transaction."""

    n: int

    def key(self) -> str:
        return str(self.n)


Script = Callable[[Job[Work]], Awaitable[None]]


@dataclass
class Handlers:
    """What the handlers do, and what they have seen. `started` counts runs, by key."""

    script: Script | None = None
    free: Callable[[Job[Free]], Awaitable[None]] | None = None
    bulk: Callable[[Batch[Bulk]], Awaitable[None]] | None = None
    started: list[str] = field(default_factory=list)
    batches: list[list[str]] = field(default_factory=list)
    dead: list[DeadJob] = field(default_factory=list)
    death_fault: Exception | None = None
    running: asyncio.Event = field(default_factory=asyncio.Event)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    async def work(self, job: Job[Work]) -> None:
        self.started.append(job.key)
        self.running.set()
        await self.gate.wait()
        if self.script is not None:
            await self.script(job)
        else:
            await write_effect(job)

    async def do_free(self, job: Job[Free]) -> None:
        self.started.append(job.key)
        if self.free is not None:
            await self.free(job)

    async def do_bulk(self, batch: Batch[Bulk]) -> None:
        self.batches.append([job.key for job in batch.jobs])
        if self.bulk is not None:
            await self.bulk(batch)
            return
        async with batch.transaction() as tx:
            for job in batch.jobs:
                await insert_effect(tx, job.key)

    async def on_dead(self, tx: Transaction, job: DeadJob) -> None:
        await insert_effect(tx, f"dead {job.key}")
        self.dead.append(job)
        if self.death_fault is not None:
            raise self.death_fault


async def write_effect(job: Job[Work]) -> None:
    """A transaction with one effect: the job's key."""
    async with job.transaction() as tx:
        await insert_effect(tx, job.key)


async def insert_effect(tx: Transaction, text: str) -> None:
    await tx.connection.execute("INSERT INTO effects (text) VALUES ($1)", text)


def build_registry(
    handlers: Handlers,
    provider: str | None = None,
    time_limit: timedelta | None = None,
    limits: QueueLimits = NO_LIMITS,
) -> Registry:
    """The queues of these tests; `provider` guards the queue `work`, and `limits` are its limits."""
    registry = Registry()
    registry.declare_queue("work", provider=provider, limits=limits)
    registry.declare_queue("follow")
    registry.add(
        Work,
        handlers.work,
        retry=QUICK,
        on_dead=handlers.on_dead,
        on_cancelled=handlers.on_dead,
        time_limit=time_limit or timedelta(seconds=30),
    )
    registry.add(Free, handlers.do_free, retry=QUICK, effect_free=True)
    registry.add(Bulk, handlers.do_bulk, retry=QUICK, batch=20)
    return registry


@dataclass
class Bench:
    """One process's engine. Nothing runs before `start`."""

    pool: Pool
    broker: BullmqBroker
    redis: Any
    handlers: Handlers
    engine: Engine
    database_url: str
    redis_url: str
    through_bouncer: bool = False
    workers: list[Worker] = field(default_factory=list)

    async def start(
        self,
        concurrency: int = 4,
        queues: Sequence[str] = ("work", "free", "bulk"),
        heartbeat_seconds: float = 0.05,
        grace_seconds: float = 5.0,
    ) -> Worker:
        """Relay, maintenance and one worker."""
        await self.engine.start()
        return await self.add_worker(concurrency, queues, heartbeat_seconds, grace_seconds)

    async def add_worker(
        self,
        concurrency: int = 4,
        queues: Sequence[str] = ("work", "free", "bulk"),
        heartbeat_seconds: float = 0.05,
        grace_seconds: float = 5.0,
    ) -> Worker:
        settings = WorkerSettings(
            dict.fromkeys(queues, concurrency),
            heartbeat_seconds=heartbeat_seconds,
            lock_duration_ms=3_000,
            grace_seconds=grace_seconds,
        )
        worker = self.engine.build_worker(settings)
        await worker.start()
        self.workers.append(worker)
        return worker

    async def stop(self) -> None:
        for worker in self.workers:
            await worker.stop(grace_seconds=0)
        self.workers.clear()
        await self.engine.stop()

    # --- act

    async def enqueue(self, *payloads: Payload, **options: Any) -> list[Enqueued]:
        async with self.engine.transaction() as tx:
            return await tx.enqueue_many(payloads, **options)

    async def enqueue_work(self, count: int, first: int = 0, who: str = "") -> list[Enqueued]:
        return await self.enqueue(*(Work(n=n, who=who) for n in range(first, first + count)))

    async def run_to_rest(self, seconds: float = 60.0) -> None:
        """Wait until no job is live."""
        await self.wait_until(self.is_at_rest, seconds)

    # --- look

    async def is_at_rest(self) -> bool:
        live = "SELECT count(*) FROM engine.jobs WHERE state IN ('pending', 'queued', 'running')"
        return bool(await self.pool.fetchval(live) == 0)

    async def wait_until(self, condition: Callable[[], Awaitable[bool]], seconds: float = 60.0) -> None:
        """Look until it holds. The ledger tells nobody, so looking is how one waits on it."""
        deadline = time.monotonic() + seconds
        while not await condition():
            assert time.monotonic() < deadline, f"it did not come about in time: {await self.describe()}"
            await asyncio.sleep(0.01)

    async def wait_for_state(self, state: str, count: int = 1, seconds: float = 60.0) -> None:
        async def reached() -> bool:
            return (await self.count_states()).get(state, 0) == count

        await self.wait_until(reached, seconds)

    async def count_states(self) -> dict[str, int]:
        rows = await self.pool.fetch("SELECT state::text, count(*) AS n FROM engine.jobs GROUP BY 1")
        return {row["state"]: row["n"] for row in rows}

    async def show(self, n: int = 0, queue: str = "work") -> JobRow:
        [row] = await self.engine.find_jobs([(queue, str(n))])
        return row

    async def read_effects(self) -> list[str]:
        return [row["text"] for row in await self.pool.fetch("SELECT text FROM effects ORDER BY id")]

    async def read_outcomes(self, n: int = 0) -> list[str]:
        row = await self.show(n)
        return [attempt.outcome for attempt in await self.engine.list_attempts([row.id])]

    async def list_waiting(self, queue: str = "work") -> list[str]:
        """Ids in the wait list, the next to run first."""
        ids = await self.redis.lrange(f"bull:{queue}:wait", 0, -1)
        return [raw.decode() for raw in reversed(ids)]

    async def list_active(self, queue: str = "work") -> list[str]:
        return [raw.decode() for raw in await self.redis.lrange(f"bull:{queue}:active", 0, -1)]

    async def describe(self) -> str:
        rows = await self.pool.fetch(
            "SELECT queue, key, state::text, attempt, dispatch, lease, suspect, alone FROM engine.jobs"
            " WHERE state NOT IN ('completed', 'cancelled') ORDER BY id LIMIT 20"
        )
        return f"{await self.count_states()} {[tuple(row) for row in rows]}"

    async def assert_consistent(self) -> None:
        """The narrow tables tell of each row what its state says, and nothing else."""
        wrong = await self.pool.fetch(
            """
            SELECT j.id, j.state::text, r.job_id IS NOT NULL AS ready, f.job_id IS NOT NULL AS inflight,
                   d.job_id IS NOT NULL AS dead
            FROM engine.jobs j
            LEFT JOIN engine.ready r ON r.job_id = j.id
            LEFT JOIN engine.inflight f ON f.job_id = j.id AND f.queue = j.queue
            LEFT JOIN engine.dead d ON d.job_id = j.id
            WHERE (r.job_id IS NOT NULL) <> (j.state = 'pending')
               OR f.tenant <> j.tenant
               OR (f.job_id IS NOT NULL) <> (j.state IN ('queued', 'running'))
               OR (d.job_id IS NOT NULL) <> (j.state = 'dead')
            """
        )
        assert [tuple(row) for row in wrong] == []

    async def assert_both_sides_agree(self, queue: QueueName = WORK) -> None:
        """Invariant 14: ids in wait and active are exactly those of queued and running rows."""
        rows = await self.pool.fetch(
            "SELECT id, dispatch FROM engine.jobs WHERE queue = $1 AND state IN ('queued', 'running')", queue
        )
        expected = {f"j{row['id']}-{row['dispatch']}" for row in rows}

        async def agree() -> bool:
            return {*await self.list_waiting(queue), *await self.list_active(queue)} == expected

        await self.wait_until(agree)


async def open_bench(
    database_url: str,
    redis_url: str,
    settings: EngineSettings = QUICK_ENGINE,
    provider: str | None = None,
    time_limit: timedelta | None = None,
    limits: QueueLimits = NO_LIMITS,
    through_bouncer: bool = False,
) -> Bench:
    """Wire one process; its queues are declared. `close_bench` closes it."""
    pool = await open_pool(make_patient(database_url, max_size=12, through_bouncer=through_bouncer))
    await pool.execute("CREATE TABLE IF NOT EXISTS effects (id bigserial PRIMARY KEY, text text NOT NULL)")
    broker = BullmqBroker(BrokerSettings(redis_url, lock_duration_ms=3_000, prune_grace_ms=0))
    handlers = Handlers()
    engine = Engine(pool, broker, build_registry(handlers, provider, time_limit, limits), settings)
    await engine.declare()
    redis = Redis.from_url(redis_url)
    return Bench(pool, broker, redis, handlers, engine, database_url, redis_url, through_bouncer)


async def close_bench(bench: Bench) -> None:
    bench.handlers.gate.set()
    await bench.stop()
    await bench.broker.close()
    await bench.redis.aclose()
    await bench.pool.close()


def without_maintenance(settings: EngineSettings = SHORT_LEASE) -> EngineSettings:
    return replace(settings, maintains=False)


# --- a worker in a process of its own, for tests that kill it


async def _run_worker_process(database_url: str, redis_url: str, concurrency: int, through_bouncer: bool) -> None:
    bench = await open_bench(database_url, redis_url, without_maintenance(), through_bouncer=through_bouncer)

    async def script(job: Job[Work]) -> None:
        if job.payload.note == "kill":
            import os
            import signal

            os.kill(os.getpid(), signal.SIGKILL)
        if job.payload.note == "hang":
            sys.stdout.write("hanging\n")
            sys.stdout.flush()
            await asyncio.Event().wait()
        await write_effect(job)

    bench.handlers.script = script
    await bench.start(concurrency=concurrency, queues=("work",))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    with suppress(asyncio.CancelledError):
        await asyncio.Event().wait()


def run_worker_process(arguments: Sequence[str]) -> None:
    database_url, redis_url, concurrency, through_bouncer = arguments
    asyncio.run(_run_worker_process(database_url, redis_url, int(concurrency), bool(int(through_bouncer))))


if __name__ == "__main__":
    run_worker_process(sys.argv[1:])
