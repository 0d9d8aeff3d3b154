"""How long the jobs of a killed worker wait until they run again.

    .venv/bin/python -m benchmarks.rescue [--rounds 5] [--only default|quiet|busy] [--phases]

Default settings: two worker processes that nobody supervises; one is killed with SIGKILL while it runs 20 jobs that
would not end, the other has nothing to do. `tournee up`, quiet: a worker process is killed while it sends a few mails
to a server that does not answer; nothing else is done. `tournee up`, busy: one is killed while it works through an
import of the sample mailbox, which keeps all cores and every place busy. Told in seconds from the signal, by the
kernel's clock: when the first and the last of the jobs that it was running were claimed again elsewhere, and when
their handlers ran again, which for a job that was under way when its process died means alone. What the dead process
had completed does not count.
Goals: 6 s at default settings, 1 s under `tournee up`.
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
from typing import TypeAlias

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
QUIET_MAILS = 4
LEAST_BUSY = 2
RUNNING = """
SELECT j.id, j.lease, j.queue, w.pid FROM engine.inflight f
JOIN engine.jobs j ON j.id = f.job_id JOIN engine.workers w ON w.id = j.worker_id
WHERE j.state = 'running'
"""
# One row for each step of a suspect: only what a killed worker ran pays for it.
WATCH = """
CREATE TABLE public.bench_steps (at float8, job_id bigint, lease int, state text, alone boolean);
CREATE TABLE public.bench_deaths (at float8);
CREATE FUNCTION public.bench_note_step() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO public.bench_steps
    VALUES (extract(epoch FROM clock_timestamp()), NEW.id, NEW.lease, NEW.state::text, NEW.alone);
    RETURN NULL;
END $$;
CREATE FUNCTION public.bench_note_death() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO public.bench_deaths VALUES (extract(epoch FROM clock_timestamp()));
    RETURN NULL;
END $$;
CREATE TRIGGER bench_steps AFTER UPDATE ON engine.jobs FOR EACH ROW
    WHEN (NEW.suspect OR OLD.suspect) EXECUTE FUNCTION public.bench_note_step();
CREATE TRIGGER bench_deaths AFTER UPDATE ON engine.workers FOR EACH ROW
    WHEN (NEW.reported_dead AND NOT OLD.reported_dead) EXECUTE FUNCTION public.bench_note_death();
"""
STEPS = """
SELECT t.id, min(s.at) FILTER (WHERE s.lease = t.lease AND s.state = 'pending') AS rescued,
       min(s.at) FILTER (WHERE s.lease = t.lease AND s.state = 'queued') AS dispatched,
       min(s.at) FILTER (WHERE s.lease > t.lease AND s.state = 'running') AS claimed,
       min(s.at) FILTER (WHERE s.lease > t.lease AND s.state = 'running' AND s.alone) AS started
FROM unnest($1::bigint[], $2::int[]) AS t (id, lease)
JOIN engine.jobs j USING (id) LEFT JOIN public.bench_steps s ON s.job_id = t.id
GROUP BY t.id
-- Those that came to an end or were put off before the signal came were rescued from nothing.
HAVING count(s) > 0 OR bool_and(j.lease = t.lease AND j.state = 'running')
"""
Found = dict[str, float]
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
PHASES = ("rescued", "dispatched", "claimed", "started")


class Endless(Payload, queue=QUEUE, kind="bench-rescue"):
    """Runs until its process is killed; when it runs again, it is at its end."""

    n: int

    def key(self) -> str:
        return str(self.n)


@asynccontextmanager
async def open_engine(database_url: str, redis_url: str) -> AsyncIterator[Engine]:
    """An engine at default settings."""

    async def hang(job: Job[Endless]) -> None:
        if not job.claimed.suspect:
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
    """Start a process and wait for its first line; it is ended with `stack`. Answers its id."""
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


async def choose_victim(connection: Connection, least: int, queue: str | None) -> tuple[int, list[tuple[int, int]]]:
    """The first worker seen to run `least` jobs (of `queue`): its process id, and its jobs with their leases."""
    while True:
        by_pid: dict[int, list[tuple[int, int]]] = {}
        for row in await connection.fetch(RUNNING):
            if queue in (None, row["queue"]):
                by_pid.setdefault(row["pid"], []).append((row["id"], row["lease"]))
        for pid, jobs in by_pid.items():
            if len(jobs) >= least:
                return pid, jobs
        await asyncio.sleep(0.005)


async def watch_rescue(connection: Connection, jobs: list[tuple[int, int]]) -> list[asyncpg.Record]:
    """Wait until all that was under way among these runs again; answers the steps of each, none where none was."""
    ids, leases = [job for job, _ in jobs], [lease for _, lease in jobs]
    while True:
        steps = await connection.fetch(STEPS, ids, leases)
        if all(step["started"] for step in steps):
            return steps
        await asyncio.sleep(0.02)


async def kill_and_watch(connection: Connection, least: int, queue: str | None = None) -> Found:
    """Kill a worker that runs `least` jobs (of `queue`); seconds until what it was running ran again."""
    async with asyncio.timeout(BOUND_SECONDS):
        steps: list[asyncpg.Record] = []
        killed_at = 0.0
        while not steps:  # Else it had completed all of them when the signal came.
            pid, jobs = await choose_victim(connection, least, queue)
            killed_at = time.time()
            os.kill(pid, signal.SIGKILL)
            steps = await watch_rescue(connection, jobs)
    told = await connection.fetchval("SELECT min(at) FROM public.bench_deaths")
    found = {"jobs": float(len(steps))} | ({"told": told - killed_at} if told else {})
    for phase in PHASES:
        times = sorted(step[phase] - killed_at for step in steps)
        found |= {f"first {phase}": times[0], f"last {phase}": times[-1]}
    return found


async def measure_default(home: Path) -> Found:
    """One kill among two unsupervised workers."""
    async with AsyncExitStack() as stack:
        servers = await stack.enter_async_context(EmbeddedServers(home, ServersConfig(durable=False)))
        urls = (servers.addresses.database_url, servers.addresses.redis_url)
        await migrate(urls[0])
        engine = await stack.enter_async_context(open_engine(*urls))
        await engine.declare()
        connection = await watch(urls[0], stack)
        await start_process(("-m", "benchmarks.rescue", "--serve", *urls), {}, stack)
        async with engine.transaction() as tx:
            await tx.enqueue_many([Endless(n=n) for n in range(JOBS)])
        async with asyncio.timeout(BOUND_SECONDS):
            while len(await connection.fetch(RUNNING)) < JOBS:  # noqa: ASYNC110  # It sets no event.
                await asyncio.sleep(0.01)
        # Only now: beside a neighbour that never ends, what is rescued would never run alone.
        await start_process(("-m", "benchmarks.rescue", "--serve", *urls), {}, stack)
        await asyncio.sleep(2)
        return await kill_and_watch(connection, JOBS)


async def measure_quiet(home: Path) -> Found:
    """One kill of a worker of `tournee up` that sends some mails, on a machine that does nothing else."""
    async with AsyncExitStack() as stack:
        port = await open_silent_server(stack)
        environment = {"TOURNEE_HOME": str(home), "TOURNEE_SMTP_URL": f"smtp://127.0.0.1:{port}"}
        connection, mails = await open_up(home, environment, stack)
        await begin_import(await asyncio.to_thread(choose_few, Path(mails)), environment, stack)
        await wait_for_silence(connection)
        return await kill_and_watch(connection, 1, "sendNotifications")


async def measure_busy(home: Path) -> Found:
    """One kill of a worker of `tournee up`, in the middle of an import."""
    async with AsyncExitStack() as stack:
        environment = {"TOURNEE_HOME": str(home)}
        connection, mails = await open_up(home, environment, stack)
        await begin_import(mails, environment, stack)
        return await kill_and_watch(connection, LEAST_BUSY)


def choose_few(mails: Path) -> str:
    """A folder of a few of these mails."""
    few = mails / "few"
    few.mkdir()
    for mail in sorted(mails.rglob("*.eml"))[:QUIET_MAILS]:
        mail.rename(few / mail.name)
    return str(few)


async def open_up(home: Path, environment: Mapping[str, str], stack: AsyncExitStack) -> tuple[Connection, str]:
    """Start `tournee up`; answers a connection to its ledger and the folder of the sample mailbox."""
    from tournee.bootstrap.stack_file import read_stack  # Only this part needs the application.

    mails = stack.enter_context(tempfile.TemporaryDirectory(prefix="tournee-bench-mails-"))
    writing = await asyncio.create_subprocess_exec(sys.executable, "-m", "tournee_sandbox.mailbox", mails)
    await writing.wait()
    await start_process(("-m", "tournee", "up", "--json"), environment, stack)
    found = read_stack(home)
    assert found is not None
    return await watch(found.database_url, stack), mails


async def begin_import(mails: str, environment: Mapping[str, str], stack: AsyncExitStack) -> None:
    """Import beside; it is ended with `stack`."""
    importing = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tournee", "import", mails, "--notify"),
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )

    async def end() -> None:
        if importing.returncode is None:
            importing.terminate()
        await importing.wait()

    stack.push_async_callback(end)


async def open_silent_server(stack: AsyncExitStack) -> int:
    """A server that accepts and says nothing; answers its port."""
    writers = []

    async def accept(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        stack.callback(writer.close)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    stack.callback(server.close)
    port: int = server.sockets[0].getsockname()[1]
    return port


async def wait_for_silence(connection: Connection) -> None:
    """Until nothing is under way but what hangs, for a while."""
    async with asyncio.timeout(BOUND_SECONDS):
        quiet = 0
        while quiet < 10:
            rows = await connection.fetch(RUNNING)
            quiet = quiet + 1 if rows and {row["queue"] for row in rows} == {"sendNotifications"} else 0
            await asyncio.sleep(0.1)


async def watch(database_url: str, stack: AsyncExitStack) -> Connection:
    """Connect, and have the ledger note each step of a suspect."""
    connection = await asyncpg.connect(database_url)
    stack.push_async_callback(connection.close)
    await connection.execute(WATCH)
    return connection


SCENES = {
    "default": ("default settings", measure_default),
    "quiet": ("tournee up, quiet", measure_quiet),
    "busy": ("tournee up, busy", measure_busy),
}


async def run(rounds: int, chosen: Sequence[str], phases: Sequence[str]) -> dict[str, object]:
    """All rounds of each."""
    report: dict[str, object] = {}
    for name, measure in (SCENES[scene] for scene in chosen):
        found = []
        for _ in range(rounds):
            with tempfile.TemporaryDirectory(prefix="tournee-bench-") as folder:
                home = Path(folder)
                await asyncio.to_thread(home.chmod, 0o711)
                found.append(await measure(home / "home"))
                shown = {figure: round(value, 2) for figure, value in found[-1].items()}
                print(f"{name}: {shown}, load {os.getloadavg()[0]:.1f}", file=sys.stderr)
        report[name] = {
            figure: {
                "median": round(statistics.median(one[figure] for one in found), 2),
                "worst": round(max(one[figure] for one in found), 2),
            }
            for figure in found[0]
            if figure.endswith(tuple(phases))
        }
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    return report | {"machine": f"{machine}, load {os.getloadavg()[0]:.1f}"}


def main() -> None:
    """Parse arguments, run, print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=SCENES, nargs="*", default=list(SCENES))
    parser.add_argument("--phases", action="store_true", help="tell each step of the rescue, not only the ends")
    parser.add_argument("--serve", nargs=2, metavar="URL", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    if arguments.serve:
        asyncio.run(serve(*arguments.serve))
    else:
        phases = ("jobs", "told", *PHASES) if arguments.phases else ("claimed", "started")
        print(json.dumps(asyncio.run(run(arguments.rounds, arguments.only, phases))))


if __name__ == "__main__":
    main()
