"""What a backlog costs those who come after it: the relay's time at a million rows, and a fresh job's wait.

    python -m benchmarks.fairness [relay|wait] [--database-url URL --redis-url URL] [--rows 1000000] [--tenants 10000]

`relay`: a mark of a window of 300 with a backlog of `--rows` pending rows of `--tenants` tenants, and with three
thousand of six hundred, turn by turn on one server; medians, in milliseconds, without limits and with one per tenant.
`scans` and `sorted_rows` are read from the plan: sequential scans of a table that grows with the backlog, and the
largest sort.

`wait`: `--jobs` jobs of 1.5 s of one tenant at concurrency 100, and meanwhile one job each of tenants with nothing in
flight, one a second: seconds from its commit to its start, with places at the front and without. Without URLs it starts
embedded servers in a temporary home.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import random
import statistics
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import structlog
from benchmarks.engine import open_servers

from tournee.db.migrations import migrate
from tournee.db.pool import Pool, PoolSettings, open_pool
from tournee.engine.bullmq.broker import BullmqBroker
from tournee.engine.bullmq.settings import BrokerSettings
from tournee.engine.client import (
    Engine,
    EngineSettings,
    Job,
    Payload,
    QueueLimits,
    QueueName,
    Rate,
    Registry,
    WorkerSettings,
)
from tournee.engine.core.window import WindowPolicy
from tournee.engine.ports import Room
from tournee.engine.postgres.session import SQL
from tournee.engine.postgres.store import PostgresJobStore

LARGE, SMALL = QueueName("benchLarge"), QueueName("benchSmall")
WINDOW = 300
SMALL_BACKLOG = 3000, 600
JOB_SECONDS = 1.5
CONCURRENCY = 100
FRESH_EVERY_SECONDS = 1.0
WAITS = (("wait", WindowPolicy().urgent_reserve), ("wait_without_front", 0))
LIMITS = QueueLimits(per_tenant_concurrency=5, per_tenant_rate=Rate(1000, timedelta(minutes=1)))

FILL = """
INSERT INTO engine.jobs (queue, key, kind, payload, tenant, rank)
SELECT $1, n::text, 'bench', '{}', 'mailbox:' || n % $3, now() - n * interval '1 microsecond'
FROM generate_series(1, $2) n
"""
MAKE_READY = """
INSERT INTO engine.ready SELECT id, queue, tenant, rank, run_at, false, true FROM engine.jobs WHERE state = 'pending'
"""
FINISH = """
WITH done AS (DELETE FROM engine.inflight WHERE queue = $1 RETURNING job_id)
UPDATE engine.jobs j SET state = 'completed' FROM done WHERE j.id = done.job_id
"""


class Timed(Payload, queue="benchFair", kind="bench-fair"):
    """Sleeps for as long as a provider's answer takes."""

    n: int
    who: str

    def key(self) -> str:
        return str(self.n)

    def tenant(self) -> str:
        return self.who


# --- the relay's time


async def measure_relay(pool: Pool, rows: int, tenants: int, rounds: int) -> dict[str, Any]:
    """Marks of both queues in turn, so that whatever else the machine does falls on both."""
    store = PostgresJobStore(pool)
    answer: dict[str, Any] = {"rows": rows, "tenants": tenants}
    registry = Registry()
    for queue in (LARGE, SMALL):
        registry.declare_queue(queue)
    await store.declare_queues(registry.queues)
    await pool.execute(FILL, LARGE, rows, tenants, timeout=600)
    await pool.execute(FILL, SMALL, *SMALL_BACKLOG)
    await pool.execute(MAKE_READY, timeout=600)
    await pool.execute("ANALYZE engine.jobs; ANALYZE engine.ready; ANALYZE engine.inflight", timeout=600)
    for name, limits in (("unlimited", QueueLimits()), ("limited", LIMITS)):
        for queue in (LARGE, SMALL):
            registry.declare_queue(queue, limits=limits)
        await store.declare_queues(registry.queues)
        times: dict[QueueName, list[float]] = {LARGE: [], SMALL: []}
        for _ in range(rounds):
            times[LARGE].append(await _time_mark(store, LARGE))
            await pool.execute(FINISH, LARGE)
            times[SMALL].append(await _time_mark(store, SMALL))
            # The small backlog stays as it is.
            await pool.fetchval(SQL.sweep_queued, SMALL)
        large, small = (statistics.median(times[queue]) for queue in (LARGE, SMALL))
        answer[name] = {
            "large_ms": round(large, 2),
            "small_ms": round(small, 2),
            "ratio": round(large / small, 2),
            **await _read_plan(pool, limits),
        }
    return answer


async def _time_mark(store: PostgresJobStore, queue: QueueName) -> float:
    """Milliseconds of one mark."""
    began = time.perf_counter()
    await store.mark_queued(queue, Room(WINDOW, 50))
    return (time.perf_counter() - began) * 1000


async def _read_plan(pool: Pool, limits: QueueLimits) -> dict[str, Any]:
    """The mark's plan on the large backlog, executed and rolled back."""
    rate = limits.per_tenant_rate
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        arguments = [LARGE, WINDOW, "mailbox:5", WINDOW, 50, True, limits.per_tenant_concurrency]
        rated = [rate.count, rate.period] if rate else [None, None]
        [row] = await connection.fetch(f"EXPLAIN (ANALYZE, FORMAT JSON) {SQL.mark_queued}", *arguments, *rated)
        await transaction.rollback()
    [plan] = row[0] if isinstance(row[0], list) else json.loads(row[0])
    nodes = list(_walk(plan["Plan"]))
    scans = [n for n in nodes if n["Node Type"] == "Seq Scan" and n["Relation Name"] in ("jobs", "ready")]
    sorts = [int(n["Actual Rows"]) for n in nodes if n["Node Type"] in ("Sort", "Incremental Sort")]
    return {"scans": len(scans), "sorted_rows": max(sorts, default=0)}


def _walk(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", []):
        yield from _walk(child)


# --- a fresh job's wait


async def measure_waits(pool: Pool, redis_url: str, jobs: int, seconds: float, reserve: int) -> dict[str, Any]:
    """A backfill under way, and fresh tenants' jobs one after the other."""
    started: dict[int, float] = {}
    backfilled = 0

    async def run(job: Job[Timed]) -> None:
        nonlocal backfilled
        started[job.payload.n] = time.perf_counter()
        backfilled += job.payload.who == "backfill"
        # Providers do not answer in step.
        await asyncio.sleep(JOB_SECONDS * random.uniform(0.9, 1.1))

    registry = Registry()
    registry.add(Timed, run, effect_free=True)
    broker = BullmqBroker(BrokerSettings(redis_url))
    engine = Engine(pool, broker, registry, EngineSettings(window=WindowPolicy(urgent_reserve=reserve)))
    worker = engine.build_worker(WorkerSettings({Timed.queue_name: CONCURRENCY}))
    try:
        await engine.declare()
        await pool.execute("TRUNCATE engine.ready, engine.inflight; TRUNCATE engine.jobs CASCADE")
        for first in range(0, jobs, 1000):
            async with engine.transaction() as tx:
                await tx.enqueue_many([Timed(n=n, who="backfill") for n in range(first, min(first + 1000, jobs))])
        await engine.start()
        await worker.start()
        await asyncio.sleep(3 * JOB_SECONDS)
        committed = await _enqueue_fresh(engine, jobs, seconds)
        await asyncio.sleep(4 * JOB_SECONDS)
        waits = sorted(started[n] - at for n, at in committed.items() if n in started)
        left = await pool.fetchval("SELECT count(*) FROM engine.ready")
    finally:
        await worker.stop(0)
        await engine.stop()
        await broker.close()
    return {
        "fresh": len(committed),
        "started": len(waits),
        "p50_seconds": round(statistics.median(waits), 3),
        "max_seconds": round(waits[-1], 3),
        "backfilled": backfilled,
        "backlog_left": left,
    }


async def _enqueue_fresh(engine: Engine, first: int, seconds: float) -> dict[int, float]:
    committed: dict[int, float] = {}
    until = time.perf_counter() + seconds
    n = first
    while time.perf_counter() < until:
        async with engine.transaction() as tx:
            await tx.enqueue(Timed(n=n, who=f"fresh:{n}"))
        committed[n] = time.perf_counter()
        n += 1
        await asyncio.sleep(FRESH_EVERY_SECONDS)
    return committed


async def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """What was asked for, and the machine."""
    answer: dict[str, Any] = {"cores": os.cpu_count(), "load": round(os.getloadavg()[0], 1)}
    async with open_servers(arguments) as (database_url, redis_url):
        await migrate(database_url)
        pool = await open_pool(PoolSettings(database_url, max_size=20))
        async with pool:
            if arguments.what != "wait":
                answer["relay"] = await measure_relay(pool, arguments.rows, arguments.tenants, arguments.rounds)
            for name, reserve in WAITS if arguments.what != "relay" else ():
                answer[name] = await measure_waits(pool, redis_url, arguments.jobs, arguments.seconds, reserve)
    return answer


def main() -> None:
    """Parse arguments, run, print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=["relay", "wait"])
    parser.add_argument("--database-url")
    parser.add_argument("--redis-url")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--tenants", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=41)
    parser.add_argument("--jobs", type=int, default=50_000)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--durable", action=argparse.BooleanOptionalAction, default=True)
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    print(json.dumps(asyncio.run(run(arguments))))


if __name__ == "__main__":
    main()
