"""What the loss of Redis costs with a million jobs waiting: whole, and in part.

    .venv/bin/python -m benchmarks.recovery [--jobs 1000000] [--concurrency 100] [--job-ms 50] [--rounds 5]

One process with relay, maintenance and worker at default settings, on embedded servers of its own. A round is one loss:
`FLUSHALL`, SIGKILL and restart of Valkey; then a random third of the keys deleted. Of each it tells, in seconds,
`first job`: from Redis answering (or the deletion) until a handler began, and `window full`: until as many jobs stand
in Redis as the relay lets in flight. `redis highest` is its highest `used_memory` all along.
Goals: first job within 2 s, window within 5 s, memory under 64 MiB; all independent of how many jobs wait.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import platform
import random
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from tournee.db.migrations import migrate
from tournee.db.pool import Pool, PoolSettings, open_pool
from tournee.embedded import EmbeddedServers, ServersConfig
from tournee.engine.bullmq.broker import BullmqBroker
from tournee.engine.bullmq.settings import BrokerSettings
from tournee.engine.client import BrokerUnavailable, Engine, Job, Payload, QueueName, Registry, WorkerSettings

QUEUE = QueueName("benchRecovery")
BOUND_SECONDS = 60.0
FULL_SHARE = 0.9
"""Of what the relay lets in flight; it grows and shrinks with what was consumed in the last second."""
LOST_SHARE = 3
"""One key in so many is deleted in a partial loss."""

FILL = """
WITH made AS (
    INSERT INTO engine.jobs (queue, key, kind, payload, tenant, rank)
    SELECT $1, n::text, 'bench-recovery', jsonb_build_object('n', n), 'tenant ' || n % 1000, now()
    FROM generate_series($2::bigint, $3::bigint) AS n
    RETURNING id, queue, tenant, rank, run_at
)
INSERT INTO engine.ready (job_id, queue, tenant, rank, run_at, urgent, due)
SELECT id, queue, tenant, rank, run_at, false, true FROM made
"""


class Waiting(Payload, queue=QUEUE, kind="bench-recovery"):
    """One of the many that wait."""

    n: int

    def key(self) -> str:
        return str(self.n)


@dataclass
class Memory:
    """Redis' highest memory, looked at every 50 ms."""

    highest_bytes: int = 0

    async def watch(self, redis: Redis) -> None:
        while True:
            with suppress(RedisError, OSError):
                self.highest_bytes = max(self.highest_bytes, int((await redis.info("memory"))["used_memory"]))
            await asyncio.sleep(0.05)


@dataclass
class Starts:
    """When handlers began."""

    last_at: float = 0.0
    count: int = 0

    def note(self) -> None:
        self.last_at = time.monotonic()
        self.count += 1


@dataclass
class Bench:
    """One engine at work."""

    engine: Engine
    broker: BullmqBroker
    redis: Redis
    pool: Pool
    servers: EmbeddedServers
    starts: Starts
    memory: Memory = field(default_factory=Memory)

    async def read_standing(self) -> int:
        """How many jobs stand in Redis."""
        try:
            depth = await self.broker.read_depth(QUEUE)
        except BrokerUnavailable:
            return 0
        return depth.waiting + depth.active


@asynccontextmanager
async def open_bench(arguments: argparse.Namespace) -> AsyncIterator[Bench]:
    """Servers in a temporary home, the ledger filled, a worker at work."""
    with tempfile.TemporaryDirectory(prefix="tournee-bench-") as folder:
        home = Path(folder)
        await asyncio.to_thread(home.chmod, 0o711)
        async with EmbeddedServers(home, ServersConfig(durable=False)) as servers:
            database_url, redis_url = servers.addresses.database_url, servers.addresses.redis_url
            await migrate(database_url)
            pool = await open_pool(PoolSettings(database_url, max_size=20, command_timeout_seconds=600))
            broker, redis, starts = BullmqBroker(BrokerSettings(redis_url)), Redis.from_url(redis_url), Starts()
            engine = Engine(pool, broker, build_registry(starts, arguments.job_ms / 1000))
            await engine.declare()
            await fill_ledger(pool, arguments.jobs)
            worker = engine.build_worker(WorkerSettings({QUEUE: arguments.concurrency}))
            bench = Bench(engine, broker, redis, pool, servers, starts)
            watcher = asyncio.create_task(bench.memory.watch(redis))
            await engine.start()
            await worker.start()
            try:
                yield bench
            finally:
                watcher.cancel()
                await worker.stop(1)
                await engine.stop()
                await broker.close()
                await redis.aclose()
                await pool.close()


def build_registry(starts: Starts, seconds: float) -> Registry:
    """One queue whose jobs take `seconds` and write nothing."""

    async def work(_job: Job[Waiting]) -> None:
        starts.note()
        await asyncio.sleep(seconds)

    registry = Registry()
    registry.add(Waiting, work, effect_free=True)
    return registry


async def fill_ledger(pool: Pool, jobs: int) -> None:
    """Make `jobs` pending rows of 1,000 tenants."""
    for first in range(1, jobs + 1, 100_000):
        await pool.execute(FILL, QUEUE, first, min(jobs, first + 99_999))
    await pool.execute("VACUUM ANALYZE")


async def lose_all(bench: Bench) -> float:
    """`FLUSHALL`, SIGKILL, restart; answers when Redis answered again."""
    await bench.redis.flushall()
    await bench.servers.valkey.kill()
    await (await bench.servers.wait_died()).start()
    return time.monotonic()


async def lose_a_part(bench: Bench) -> float:
    """A random third of the keys is deleted."""
    keys = [key async for key in bench.redis.scan_iter(count=1000)]
    await bench.redis.delete(*random.sample(keys, len(keys) // LOST_SHARE))
    return time.monotonic()


async def measure_loss(bench: Bench, lose: Callable[[Bench], Awaitable[float]]) -> dict[str, float]:
    """One loss, from a full window to a full window."""
    await asyncio.sleep(2)
    before = await bench.read_standing()
    lost_at = await lose(bench)
    first_at = full_at = 0.0
    while not (first_at and full_at):
        now = time.monotonic()
        if now - lost_at > BOUND_SECONDS:
            raise SystemExit(f"recovery: {before} jobs stood in Redis, after {BOUND_SECONDS:g} s not again")
        if not first_at and bench.starts.last_at > lost_at:
            first_at = bench.starts.last_at
        if not full_at and await bench.read_standing() >= FULL_SHARE * bench.engine.read_windows()[QUEUE]:
            full_at = time.monotonic()
        await asyncio.sleep(0.005)
    return {"first job": first_at - lost_at, "window full": full_at - lost_at, "window": before}


async def run(arguments: argparse.Namespace) -> dict[str, object]:
    """All rounds."""
    report: dict[str, object] = {"jobs": arguments.jobs, "concurrency": arguments.concurrency}
    async with open_bench(arguments) as bench:
        for name, lose in (("all of Redis lost", lose_all), ("a third of the keys lost", lose_a_part)):
            rounds = []
            for number in range(arguments.rounds):
                rounds.append(await measure_loss(bench, lose))
                print(f"{name}, round {number + 1}: {rounds[-1]}", file=sys.stderr)
            report[name] = {
                figure: {
                    "median": round(statistics.median(one[figure] for one in rounds), 3),
                    "worst": round(max(one[figure] for one in rounds), 3),
                }
                for figure in rounds[0]
            }
        report["waiting at the end"] = await bench.pool.fetchval("SELECT count(*) FROM engine.ready")
        report["redis highest MiB"] = round(bench.memory.highest_bytes / 2**20, 1)
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    return report | {"machine": f"{machine}, load {os.getloadavg()[0]:.1f}"}


def main() -> None:
    """Parse arguments, run, print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--concurrency", type=int, default=100)
    parser.add_argument("--job-ms", type=float, default=50.0)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    print(json.dumps(asyncio.run(run(arguments))))


if __name__ == "__main__":
    main()
