"""The main program of every process in a chaos run: worker, maintenance or API, as bootstrap builds them; or callers.

Talks with the nemesis in JSON lines: commands on stdin, events on stdout; the log goes to stderr. Ends with its stdin.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import structlog
import uvloop

import tournee.engine.client
from tests.chaos.api import build_api
from tests.chaos.caller import CallerProcess
from tests.chaos.clock import install_clock, read_true_time, skew_clock
from tests.chaos.generator import GeneratorSettings
from tests.chaos.points import Points, TrappedBroker, trap_store
from tests.chaos.workload import CONCURRENCY, QUEUES, Handlers, build_registry, forget_novel, learn_novel
from tests.support.invariants import Journal
from tournee.db.pool import UNAVAILABLE, Pool, PoolSettings, open_pool
from tournee.engine.bullmq.settings import BrokerSettings
from tournee.engine.client import Engine, EngineSettings, LedgerContended, LedgerUnavailable, QueueName, WorkerSettings
from tournee.engine.core.breaker import BreakerPolicy
from tournee.kit.ports import LOOPBACK
from tournee.web.server import WebServer, bind_loopback

LEASE_SECONDS = 3.0
HEARTBEAT_SECONDS = 0.5
LOCK_MS = 4_000


@dataclass(frozen=True, slots=True)
class ProcessSettings:
    """Who this process is. `generator` is for the callers alone, `api_port` for them and the API."""

    name: str
    role: str
    database_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    folder: str
    knows_novel: bool = False
    api_port: int = 0
    generator: GeneratorSettings | None = None

    @classmethod
    def read(cls, text: str) -> ProcessSettings:
        """From the first line of stdin, so that passwords are in no argument list."""
        data = json.loads(text)
        generator = data.pop("generator")
        return cls(**data, generator=GeneratorSettings(**generator) if generator else None)


def tell(event: dict[str, Any]) -> None:
    """One event for the nemesis."""
    os.write(1, (json.dumps(event) + "\n").encode())


class ChaosProcess:
    """One process, wired and listening for commands."""

    def __init__(self, settings: ProcessSettings, pool: Pool) -> None:
        folder = Path(settings.folder)
        self._settings = settings
        self._pool = pool
        self.points = Points(tell)
        self.broker = TrappedBroker(
            BrokerSettings(
                settings.redis_url,
                worker_name=settings.name,
                lock_duration_ms=LOCK_MS,
                work_queues=tuple(QueueName(name) for name in QUEUES),
            )
        )
        self.broker.points = self.points
        # The engine makes its own store: it is told which class to make, here and nowhere else.
        setattr(tournee.engine.client, "PostgresJobStore", trap_store(self.points))  # noqa: B010
        self._handlers = Handlers(Journal(folder / "journal"), self.points, folder)
        self._registry = build_registry(self._handlers)
        if settings.knows_novel:
            learn_novel(self._registry, self._handlers)
        engine_settings = EngineSettings(
            lease_seconds=LEASE_SECONDS,
            leftovers_seconds=15.0,
            breakers=BreakerPolicy(base=timedelta(seconds=1), cap=timedelta(seconds=4)),
            maintains=settings.role != "api",
        )
        self.engine = Engine(pool, self.broker, self._registry, engine_settings)
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop`."""
        await until_the_ledger_answers(self.engine.start)
        worker = None
        if self._settings.role == "worker":
            worker = self.engine.build_worker(
                WorkerSettings(
                    CONCURRENCY,
                    name=self._settings.name,
                    heartbeat_seconds=HEARTBEAT_SECONDS,
                    lock_duration_ms=LOCK_MS,
                    grace_seconds=3.0,
                )
            )
            await until_the_ledger_answers(worker.start)
        server = await self._serve_api() if self._settings.role == "api" else None
        tell({"event": "ready", "holder": str(self.engine._holder)})
        await stop.wait()
        if server is not None:
            await server.stop()
        if worker is not None:
            await worker.stop()
        await self.engine.stop()

    async def _serve_api(self) -> WebServer:
        sock = bind_loopback(LOOPBACK, self._settings.api_port)
        server = WebServer(build_api(self.engine, self.points), sock)
        await server.start()
        return server

    def obey(self, command: dict[str, Any]) -> None:
        """One command of the nemesis; what it asks for is answered once it has taken effect."""
        before = time.monotonic()
        self._obey(command)
        if "ask" in command:
            took_seconds = time.monotonic() - before
            clock_seconds = time.time() - read_true_time()
            usurped = self.points.usurped
            event = {"took_seconds": took_seconds, "clock_seconds": clock_seconds, "usurped": usurped}
            tell({"event": "obeyed", "ask": command["ask"], **event})

    def _obey(self, command: dict[str, Any]) -> None:
        match command["do"]:
            case "arm":
                self.points.arm(command["point"], freezes=command["freezes"])
            case "disarm":
                self.points.disarm()
            case _:
                self._suffer(command)

    def _suffer(self, command: dict[str, Any]) -> None:
        match command["do"]:
            case "block":
                time.sleep(command["seconds"])
            case "skew":
                skew_clock(command["seconds"])
            case "learn":
                learn_novel(self._registry, self._handlers)
            case "forget":
                forget_novel(self._registry)
            case "usurp":
                self.points.usurps = command["on"]
            case "take-pool":
                self._keep(asyncio.create_task(self._take_pool(command["seconds"])))
            case unknown:
                raise ValueError(f"no such command: {unknown}")

    async def _take_pool(self, seconds: float) -> None:
        async with AsyncExitStack() as stack:
            with suppress(*UNAVAILABLE):
                for _ in range(self._pool.get_max_size()):
                    await stack.enter_async_context(self._pool.acquire(timeout=10.0))
                tell({"event": "reached", "point": "pool-taken"})
                await asyncio.sleep(seconds)

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def until_the_ledger_answers(start: Any) -> None:
    """A process that starts while PostgreSQL is down waits for it."""
    while True:
        try:
            await start()
            return
        except (LedgerUnavailable, LedgerContended):
            await asyncio.sleep(0.2)


@asynccontextmanager
async def open_pool_when_there(database_url: str) -> AsyncIterator[Pool]:
    """The pool that bootstrap would open for this lease."""
    settings = PoolSettings(
        database_url,
        min_size=1,
        max_size=16,
        lock_timeout_seconds=LEASE_SECONDS * 0.6,
        idle_in_transaction_timeout_seconds=LEASE_SECONDS * 0.8,
        tcp_user_timeout_seconds=LEASE_SECONDS * 0.8,
        application_name="chaos",
    )
    pool = await _open_when_there(settings)
    try:
        yield pool
    finally:
        pool.terminate()


async def _open_when_there(settings: PoolSettings) -> Pool:
    while True:
        try:
            return await open_pool(settings)
        except UNAVAILABLE:
            await asyncio.sleep(0.2)


async def run_process() -> None:
    """Until SIGTERM, or until the nemesis is gone."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    settings = ProcessSettings.read((await reader.readline()).decode())
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    if settings.generator is not None:
        url = f"http://{LOOPBACK}:{settings.api_port}"
        caller = CallerProcess(url, Path(settings.folder), settings.generator, tell)
        await _listen_while(reader, caller.obey, caller.run(stop))
        return
    async with open_pool_when_there(settings.database_url) as pool:
        process = ChaosProcess(settings, pool)
        install_clock()
        await _listen_while(reader, process.obey, process.run(stop))
        await process.broker.close()


async def _listen_while(
    reader: asyncio.StreamReader, obey: Callable[[dict[str, Any]], None], serving: Coroutine[Any, Any, None]
) -> None:
    """Obey what comes from the nemesis until `serving` ends; end at once if the nemesis does."""

    async def listen() -> None:
        while line := await reader.readline():
            obey(json.loads(line))
        os._exit(0)

    listener = asyncio.create_task(listen())
    await serving
    listener.cancel()


def main() -> None:
    """Log on stderr; then serve."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    uvloop.run(run_process())


if __name__ == "__main__":
    main()
