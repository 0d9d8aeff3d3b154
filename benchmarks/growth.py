"""Whether the engine slows down as its ledger grows: an empty one and one of ten million rows, side by side.

    .venv/bin/python -m benchmarks.growth [--rows 10000000] [--jobs 4000] [--rounds 5] [--prune 1000000]

Two databases of one embedded PostgreSQL with autovacuum on, each with its own engine; one is filled with synthetic
completed rows, 30 days of them. Rounds alternate between the two, so that what else happens on the machine meets both.
Told are the medians of enqueue and process rate and their ratio (goal: at least 0.85), the statements whose generic
plan differs between an empty, a tenth filled and the full ledger (goal: none), and the process rate while a million
rows are pruned against the rate without (goal: at least 0.9). Needs about 1 KB of disk a row and says so where it is
missing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import structlog
from benchmarks.engine import A_CALL, Bench, Count, NoEffect, WithEffect, build_registry, wait_for_rest
from benchmarks.plans import read_plans

from tournee.db.migrations import migrate
from tournee.db.pool import PoolSettings, open_pool
from tournee.embedded import EmbeddedServers, ServersConfig
from tournee.engine.bullmq.broker import BullmqBroker
from tournee.engine.bullmq.settings import BrokerSettings
from tournee.engine.client import Engine, WorkerSettings
from tournee.engine.maintenance.pruner import Pruner
from tournee.engine.maintenance.settings import EngineSettings

BYTES_A_ROW = 1_000
A_FILL = 250_000
CONCURRENCY = 100
MOST_ROUNDS = 40
"""Of pruning: enough for a million rows at the pruner's pace."""

FILL = """
INSERT INTO engine.jobs (queue, key, kind, payload, tenant, rank, state, dispatch, lease, run_at, created_at,
                         dispatched_at, started_at, finished_at)
SELECT 'benchFree', 'old ' || n, 'bench-free', jsonb_build_object('n', n), '', t, 'completed', 1, 1, t, t, t, t, t
FROM generate_series($1::bigint, $2::bigint) AS n
CROSS JOIN LATERAL (SELECT now() - (30.0 * (1 - n::float8 / $3)) * interval '1 day') AS at (t)
"""


@dataclass(frozen=True)
class Side:
    """One of the two ledgers, at work."""

    url: str
    bench: Bench


@asynccontextmanager
async def open_side(
    admin: asyncpg.Connection[asyncpg.Record], url: str, redis_url: str, name: str
) -> AsyncIterator[Side]:
    """A database of its own, migrated, with an engine on a prefix of its own in Redis."""
    await admin.execute(f'CREATE DATABASE "{name}" OWNER tournee')
    own_url = urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
    await migrate(own_url)
    pool = await open_pool(PoolSettings(own_url, max_size=20, command_timeout_seconds=1200))
    broker, count = BullmqBroker(BrokerSettings(redis_url, prefix=name)), Count()
    # No background service but the relay: what is compared is the way of a job.
    engine = Engine(pool, broker, build_registry(count), replace(EngineSettings(), maintains=False))
    await pool.execute("CREATE TABLE bench_effects (job_id bigint)")
    await engine.declare()
    try:
        yield Side(own_url, Bench(pool, engine, count, CONCURRENCY))
    finally:
        await broker.close()
        await pool.close()


async def fill(side: Side, first: int, last: int, rows: int) -> None:
    """Synthetic completed rows, numbered from `first` to `last` of `rows`."""
    for start in range(first, last + 1, A_FILL):
        await side.bench.pool.execute(FILL, start, min(last, start + A_FILL - 1), rows)
        print(f"\rgrowth: {min(last, start + A_FILL - 1):,} rows", end="", file=sys.stderr)
    await side.bench.pool.execute("VACUUM ANALYZE engine.jobs")
    print(file=sys.stderr)


async def measure_side(
    side: Side, payload_type: type[NoEffect | WithEffect], first: int, jobs: int
) -> dict[str, float]:
    """One round: `jobs` enqueued while nothing works, then processed."""
    bench = side.bench
    began = time.perf_counter()
    for start in range(first, first + jobs, A_CALL):
        async with bench.engine.transaction() as tx:
            await tx.enqueue_many([payload_type(n=n) for n in range(start, min(start + A_CALL, first + jobs))])
    enqueued = time.perf_counter() - began
    bench.count.expect(jobs)
    await bench.engine.start()
    worker = bench.engine.build_worker(WorkerSettings({payload_type.queue_name: CONCURRENCY}))
    began = time.perf_counter()
    await worker.start()
    async with asyncio.timeout(300):
        await bench.count.reached.wait()
        await wait_for_rest(bench)
    processed = time.perf_counter() - began
    await worker.stop(5)
    await bench.engine.stop()
    return {"enqueue_per_second": jobs / enqueued, "process_per_second": jobs / processed}


async def compare_rates(small: Side, large: Side, rounds: int, jobs: int) -> dict[str, Any]:
    """Medians of both sides and their ratio, by kind of job; the order of the two changes with each round."""
    report: dict[str, Any] = {}
    for name, payload_type in (("effect_free", NoEffect), ("transactional", WithEffect)):
        found: dict[str, list[dict[str, float]]] = {"empty": [], "full": []}
        for number in range(rounds):
            sides = [("empty", small), ("full", large)]
            for label, side in sides if number % 2 else reversed(sides):
                found[label].append(await measure_side(side, payload_type, number * jobs, jobs))
        medians = {
            label: {figure: statistics.median(one[figure] for one in rows) for figure in rows[0]}
            for label, rows in found.items()
        }
        report[name] = {
            figure: {
                "empty": round(medians["empty"][figure]),
                "full": round(medians["full"][figure]),
                "ratio": round(medians["full"][figure] / medians["empty"][figure], 3),
            }
            for figure in medians["empty"]
        }
        print(f"growth: {name} {report[name]}", file=sys.stderr)
    return report


def compare_plans(plans: list[dict[str, tuple[str, ...]]]) -> dict[str, list[tuple[str, ...]]]:
    """Statements whose reads of the ledger are not the same at each size."""
    return {
        name: [one[name] for one in plans] for name in plans[0] if len({tuple(sorted(one[name])) for one in plans}) > 1
    }


async def measure_pruning(side: Side, jobs: int, rows: int) -> dict[str, float]:
    """The process rate while the pruner deletes the oldest `rows` rows, against the rate without; rounds alternate."""
    pool = side.bench.pool
    last = await pool.fetchrow(
        "SELECT id, now() - finished_at AS age FROM engine.jobs WHERE key = $1 AND queue = 'benchFree'", f"old {rows}"
    )
    assert last is not None, "the ledger was filled"
    pruner = Pruner(side.bench.engine.store, last["age"] - timedelta(seconds=1))

    async def prune_forever() -> None:
        while True:
            await pruner.prune()

    found: dict[str, list[float]] = {"quiet": [], "pruning": []}
    left, number = rows, 1000
    while left and len(found["quiet"]) < MOST_ROUNDS:
        for label in ("quiet", "pruning"):
            task = asyncio.create_task(prune_forever()) if label == "pruning" else None
            rate = await measure_side(side, NoEffect, number * 100_000, jobs)
            found[label].append(rate["process_per_second"])
            number += 1
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        left = await pool.fetchval("SELECT count(*) FROM engine.jobs WHERE id <= $1", last["id"])
    medians = {label: statistics.median(values) for label, values in found.items()}
    return {
        **{label: round(value) for label, value in medians.items()},
        "deleted": rows - left,
        "ratio": round(medians["pruning"] / medians["quiet"], 3),
    }


async def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Everything, on servers of its own."""
    with tempfile.TemporaryDirectory(prefix="tournee-bench-", dir=arguments.folder) as folder:
        home = Path(folder)
        needed, free = arguments.rows * BYTES_A_ROW, shutil.disk_usage(home).free
        if free < needed:
            raise SystemExit(
                f"growth: needs {needed / 1e9:.0f} GB of disk for {arguments.rows:,} rows, {free / 1e9:.0f} GB "
                "are free: say --folder or fewer --rows"
            )
        await asyncio.to_thread(home.chmod, 0o711)
        async with AsyncExitStack() as stack:
            servers = await stack.enter_async_context(EmbeddedServers(home, ServersConfig(durable=arguments.durable)))
            url, redis_url = servers.addresses.database_url, servers.addresses.redis_url
            admin = await asyncpg.connect(servers.postgresql.admin_url)
            stack.push_async_callback(admin.close)
            small = await stack.enter_async_context(open_side(admin, url, redis_url, "empty"))
            large = await stack.enter_async_context(open_side(admin, url, redis_url, "full"))
            plans = [await read_plans(large.url)]
            tenth = arguments.rows // 10
            await fill(large, 1, tenth, arguments.rows)
            plans.append(await read_plans(large.url))
            await fill(large, tenth + 1, arguments.rows, arguments.rows)
            plans.append(await read_plans(large.url))
            report: dict[str, Any] = {"rows": arguments.rows, "plans that differ": compare_plans(plans)}
            report |= await compare_rates(small, large, arguments.rounds, arguments.jobs)
            report["pruning"] = await measure_pruning(large, 5 * arguments.jobs, arguments.prune)
            size = await large.bench.pool.fetchval("SELECT pg_total_relation_size('engine.jobs')")
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    return report | {"ledger GB": round(size / 1e9, 1), "machine": f"{machine}, load {os.getloadavg()[0]:.1f}"}


def main() -> None:
    """Parse arguments, run, print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--jobs", type=int, default=4_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--prune", type=int, default=1_000_000)
    parser.add_argument("--folder", help="where the servers keep their data; default: the system's temporary folder")
    parser.add_argument("--durable", action=argparse.BooleanOptionalAction, default=True)
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    print(json.dumps(asyncio.run(run(arguments))))


if __name__ == "__main__":
    main()
