"""The engine with its full guarantees: how fast jobs go in and through, and how long one waits.

    python benchmarks/engine.py [--database-url URL --redis-url URL] [--jobs 5000] [--concurrency 100] [--profile]
                                [--metered]

Three figures for effect-free jobs and for jobs with a transaction of their own (one effect each):
enqueue_per_second (one caller, 100 a call), process_per_second (a standing backlog, one worker process that also runs
relay and maintenance), p50_ms and p99_ms (from the commit of an enqueue to the start of the handler, at a tenth of that
rate). `cpu_us_per_job` is the CPU time of this process per processed job: it tells of the engine where other work has
the machine. Without URLs it starts the embedded servers in a temporary home.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import json
import logging
import os
import pstats
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from tournee.db.migrations import migrate
from tournee.db.pool import Pool, PoolSettings, open_pool
from tournee.embedded import EmbeddedServers, ServersConfig
from tournee.engine.bullmq.broker import BullmqBroker
from tournee.engine.bullmq.settings import BrokerSettings
from tournee.engine.client import Engine, Job, Observer, Payload, Registry, WorkerSettings

A_CALL = 100
LATENCY_SECONDS = 5.0
BOUND_SECONDS = 120.0


class NoEffect(Payload, queue="benchFree", kind="bench-free"):
    """Writes nothing."""

    n: int

    def key(self) -> str:
        return str(self.n)


class WithEffect(Payload, queue="benchEffects", kind="bench-effects"):
    """Writes one row in its transaction."""

    n: int

    def key(self) -> str:
        return str(self.n)


@dataclass
class Count:
    """What the handlers have seen: how many ran, and when those with a known start began."""

    done: int = 0
    wanted: int = 0
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    committed_at: dict[int, float] = field(default_factory=dict)
    waits: list[float] = field(default_factory=list)

    def expect(self, count: int) -> None:
        self.done, self.wanted = 0, count
        self.reached.clear()

    def see(self, n: int) -> None:
        began = self.committed_at.pop(n, None)
        if began is not None:
            self.waits.append(time.perf_counter() - began)
        self.done += 1
        if self.done >= self.wanted:
            self.reached.set()


@dataclass(frozen=True)
class Bench:
    """An engine under measurement."""

    pool: Pool
    engine: Engine
    count: Count
    concurrency: int


def build_registry(count: Count) -> Registry:
    """The two handlers."""

    async def do_nothing(job: Job[NoEffect]) -> None:
        count.see(job.payload.n)

    async def write_row(job: Job[WithEffect]) -> None:
        count.see(job.payload.n)
        async with job.transaction() as tx:
            await tx.connection.execute("INSERT INTO bench_effects (job_id) VALUES ($1)", job.id)

    registry = Registry()
    registry.add(NoEffect, do_nothing, effect_free=True)
    registry.add(WithEffect, write_row)
    return registry


def build_observers(registry: Registry, metered: bool) -> list[Observer]:
    """Nobody, or what counts for Prometheus."""
    if not metered:
        return []
    from tournee.telemetry.engine_meter import EngineMeter
    from tournee.telemetry.meters import Meters

    return [EngineMeter(Meters(), lambda kind: registry.find(kind) is not None)]


async def enqueue(bench: Bench, payload_type: type[NoEffect | WithEffect], first: int, count: int) -> float:
    """Enqueue `count` jobs, a hundred a call; answers jobs per second."""
    began = time.perf_counter()
    for start in range(first, first + count, A_CALL):
        async with bench.engine.transaction() as tx:
            await tx.enqueue_many([payload_type(n=n) for n in range(start, min(start + A_CALL, first + count))])
    return count / (time.perf_counter() - began)


async def wait_for_rest(bench: Bench) -> None:
    """Until every row is finished: what was run is not yet what was completed."""
    while await bench.pool.fetchval("SELECT count(*) FROM engine.inflight") > 0:  # noqa: ASYNC110  # It sets no event.
        await asyncio.sleep(0.01)


async def measure(
    bench: Bench, payload_type: type[NoEffect | WithEffect], jobs: int, profile: bool
) -> dict[str, float]:
    """All figures of one kind of job."""
    enqueue_rate = await enqueue(bench, payload_type, 0, jobs)
    bench.count.expect(jobs)
    worker = bench.engine.build_worker(WorkerSettings({payload_type.queue_name: bench.concurrency}))
    profiler = cProfile.Profile() if profile else None
    began, cpu = time.perf_counter(), time.process_time()
    if profiler:
        profiler.enable()
    await worker.start()
    await asyncio.wait_for(bench.count.reached.wait(), BOUND_SECONDS)
    await wait_for_rest(bench)
    if profiler:
        profiler.disable()
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    if profiler:
        pstats.Stats(profiler).sort_stats("tottime").print_stats(45)
    await measure_waits(bench, payload_type, jobs, jobs / seconds / 10)
    await worker.stop(5)
    waits = sorted(bench.count.waits) or [0.0]
    return {
        "enqueue_per_second": round(enqueue_rate),
        "process_per_second": round(jobs / seconds),
        "p50_ms": round(statistics.median(waits) * 1000, 2),
        "p99_ms": round(waits[int(len(waits) * 0.99)] * 1000, 2),
        "cpu_us_per_job": round(cpu / jobs * 1e6),
    }


async def measure_waits(bench: Bench, payload_type: type[NoEffect | WithEffect], first: int, rate: float) -> None:
    """Enqueue single jobs at `rate` a second for a few seconds; the handlers tell when they begin."""
    bench.count.waits.clear()
    until = time.perf_counter() + LATENCY_SECONDS
    n = first
    while time.perf_counter() < until:
        due = time.perf_counter() + 1 / rate
        async with bench.engine.transaction() as tx:
            await tx.enqueue(payload_type(n=n))
            bench.count.committed_at[n] = time.perf_counter()
        n += 1
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
    await asyncio.sleep(0.2)
    await wait_for_rest(bench)


@asynccontextmanager
async def open_servers(arguments: argparse.Namespace) -> AsyncIterator[tuple[str, str]]:
    """The URLs that were given, or embedded servers for the length of the run."""
    if arguments.database_url and arguments.redis_url:
        yield arguments.database_url, arguments.redis_url
        return
    with tempfile.TemporaryDirectory(prefix="tournee-bench-") as folder:
        home = Path(folder)
        await asyncio.to_thread(home.chmod, 0o711)
        servers = EmbeddedServers(home, ServersConfig(durable=arguments.durable))
        addresses = await servers.start()
        try:
            yield addresses.database_url, addresses.redis_url
        finally:
            await servers.stop()


async def run(arguments: argparse.Namespace) -> dict[str, object]:
    """One run of everything."""
    async with open_servers(arguments) as (database_url, redis_url):
        await migrate(database_url)
        pool = await open_pool(PoolSettings(database_url, max_size=20))
        broker = BullmqBroker(BrokerSettings(redis_url))
        count = Count()
        registry = build_registry(count)
        engine = Engine(pool, broker, registry, observers=build_observers(registry, arguments.metered))
        bench = Bench(pool, engine, count, arguments.concurrency)
        await pool.execute("DROP TABLE IF EXISTS bench_effects; CREATE TABLE bench_effects (job_id bigint)")
        try:
            await engine.start()
            return {
                "effect_free": await measure(bench, NoEffect, arguments.jobs, arguments.profile),
                "transactional": await measure(bench, WithEffect, arguments.jobs, arguments.profile),
                "jobs": arguments.jobs,
                "concurrency": arguments.concurrency,
                "durable": arguments.durable,
                "cores": os.cpu_count(),
                "load": round(os.getloadavg()[0], 1),
            }
        finally:
            await engine.stop()
            await broker.close()
            await pool.close()


def main() -> None:
    """Parse arguments, run, print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database-url")
    parser.add_argument("--redis-url")
    parser.add_argument("--jobs", type=int, default=5000)
    parser.add_argument("--concurrency", type=int, default=100)
    parser.add_argument("--durable", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--metered", action="store_true", help="count for Prometheus, as serving processes do")
    parser.add_argument("--profile", action="store_true")
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    try:
        import uvloop
    except ImportError:
        factory = None
    else:
        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        print(json.dumps(runner.run(run(arguments))))


if __name__ == "__main__":
    main()
