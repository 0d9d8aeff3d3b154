"""How long the jobs of a killed worker wait until they run again.

    .venv/bin/python -m benchmarks.rescue [--rounds 5]

Default settings: two worker processes that nobody supervises; one is killed with SIGKILL while it runs 20 jobs that
would not end. `tournee up`: one of its worker processes is killed while it works through an import of the sample
mailbox. Told in seconds from the signal: when the first and the last of its jobs ran again elsewhere. Goals: 6 s at
default settings, 1 s under `tournee up`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import platform
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import asyncpg
import structlog

from tournee.db.migrations import migrate
from tournee.db.pool import PoolSettings, open_pool
from tournee.embedded import EmbeddedServers, ServersConfig
from tournee.engine.bullmq.broker import BullmqBroker
from tournee.engine.bullmq.settings import BrokerSettings
from tournee.engine.client import Engine, Job, Payload, QueueName, Registry, WorkerSettings

QUEUE = QueueName("benchRescue")
JOBS = 20
BOUND_SECONDS = 60.0
RUNNING = """
SELECT j.id, j.lease, w.pid FROM engine.inflight f
JOIN engine.jobs j ON j.id = f.job_id JOIN engine.workers w ON w.id = j.worker_id
WHERE j.state = 'running'
"""
MOVED_ON = """
SELECT count(*) FROM unnest($1::bigint[], $2::int[]) AS t (id, lease) JOIN engine.jobs j USING (id)
WHERE j.lease > t.lease OR j.state IN ('completed', 'dead')
"""


class Endless(Payload, queue=QUEUE, kind="bench-rescue"):
    """Runs until its process is killed."""

    n: int

    def key(self) -> str:
        return str(self.n)


@asynccontextmanager
async def open_engine(database_url: str, redis_url: str) -> AsyncIterator[Engine]:
    """An engine at default settings."""

    async def hang(_job: Job[Endless]) -> None:
        await asyncio.Event().wait()

    registry = Registry()
    registry.add(Endless, hang, effect_free=True)
    pool, broker = await open_pool(PoolSettings(database_url)), BullmqBroker(BrokerSettings(redis_url))
    engine = Engine(pool, broker, registry)
    try:
        yield engine
    finally:
        await broker.close()
        await pool.close()


async def serve(database_url: str, redis_url: str) -> None:
    """A worker process, until it is killed."""
    async with open_engine(database_url, redis_url) as engine:
        await engine.start()
        await engine.build_worker(WorkerSettings({QUEUE: 2 * JOBS})).start()
        print("ready", flush=True)
        await asyncio.Event().wait()


async def start_process(arguments: Sequence[str], environment: Mapping[str, str], stack: AsyncExitStack) -> int:
    """Start a process and wait for its first line; it is killed at the end. Answers its id."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )

    async def end() -> None:
        if process.returncode is None:
            process.terminate()
        await process.wait()

    stack.push_async_callback(end)
    assert process.stdout is not None
    if not await process.stdout.readline():
        raise SystemExit(f"rescue: {' '.join(arguments)} ended before it was ready")
    return process.pid


async def kill_and_watch(connection: asyncpg.Connection[asyncpg.Record], least: int) -> dict[str, float]:
    """Kill a worker once it runs `least` jobs; seconds until its first and its last job ran again."""
    async with asyncio.timeout(BOUND_SECONDS):
        while True:
            by_pid: dict[int, list[tuple[int, int]]] = {}
            for row in await connection.fetch(RUNNING):
                by_pid.setdefault(row["pid"], []).append((row["id"], row["lease"]))
            busy = [pid for pid, jobs in by_pid.items() if len(jobs) >= least]
            if busy:
                break
            await asyncio.sleep(0.005)
        jobs = by_pid[busy[0]]
        os.kill(busy[0], signal.SIGKILL)
        killed_at, first = time.monotonic(), 0.0
        while True:
            moved = await connection.fetchval(MOVED_ON, [job for job, _ in jobs], [lease for _, lease in jobs])
            first = first or (time.monotonic() - killed_at if moved else 0.0)
            if moved == len(jobs):
                return {"first": first, "last": time.monotonic() - killed_at}
            await asyncio.sleep(0.005)


async def measure_default(home: Path) -> dict[str, float]:
    """One kill among two unsupervised workers."""
    async with AsyncExitStack() as stack:
        servers = await stack.enter_async_context(EmbeddedServers(home, ServersConfig(durable=False)))
        urls = (servers.addresses.database_url, servers.addresses.redis_url)
        await migrate(urls[0])
        engine = await stack.enter_async_context(open_engine(*urls))
        await engine.declare()
        for _ in range(2):
            await start_process(("-m", "benchmarks.rescue", "--serve", *urls), {}, stack)
        await asyncio.sleep(2)
        async with engine.transaction() as tx:
            await tx.enqueue_many([Endless(n=n) for n in range(JOBS)])
        connection = await asyncpg.connect(urls[0])
        stack.push_async_callback(connection.close)
        async with asyncio.timeout(BOUND_SECONDS):
            while len(await connection.fetch(RUNNING)) < JOBS:  # noqa: ASYNC110  # It sets no event.
                await asyncio.sleep(0.01)
        return await kill_and_watch(connection, 1)


async def measure_up(home: Path) -> dict[str, float]:
    """One kill of a worker of `tournee up`, in the middle of an import."""
    from tournee.bootstrap.stack_file import read_stack  # Only this part needs the application.

    command, environment = ("-m", "tournee.cli.main"), {"TOURNEE_HOME": str(home)}
    async with AsyncExitStack() as stack:
        mails = stack.enter_context(tempfile.TemporaryDirectory(prefix="tournee-bench-mails-"))
        writing = await asyncio.create_subprocess_exec(sys.executable, "-m", "tournee_sandbox.mailbox", mails)
        await writing.wait()
        await start_process((*command, "up", "--json"), environment, stack)
        found = read_stack(home)
        assert found is not None
        importing = await asyncio.create_subprocess_exec(
            sys.executable,
            *command,
            "import",
            mails,
            env={**os.environ, **environment},
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        connection = await asyncpg.connect(found.database_url)
        stack.push_async_callback(connection.close)
        stack.push_async_callback(importing.wait)
        return await kill_and_watch(connection, 2)


async def run(rounds: int) -> dict[str, object]:
    """All rounds of both."""
    report: dict[str, object] = {}
    for name, measure in (("default settings", measure_default), ("tournee up", measure_up)):
        found = []
        for _ in range(rounds):
            with tempfile.TemporaryDirectory(prefix="tournee-bench-") as folder:
                home = Path(folder)
                await asyncio.to_thread(home.chmod, 0o711)
                found.append(await measure(home / "home"))
                print(f"{name}: {found[-1]}", file=sys.stderr)
        report[name] = {
            figure: {
                "median": round(statistics.median(one[figure] for one in found), 2),
                "worst": round(max(one[figure] for one in found), 2),
            }
            for figure in found[0]
        }
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    return report | {"machine": f"{machine}, load {os.getloadavg()[0]:.1f}"}


def main() -> None:
    """Parse arguments, run, print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--serve", nargs=2, metavar="URL", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    if arguments.serve:
        asyncio.run(serve(*arguments.serve))
    else:
        print(json.dumps(asyncio.run(run(arguments.rounds))))


if __name__ == "__main__":
    main()
