"""All that a chaos run runs on: real servers on a small disk of their own, proxies, processes, a second host.

Where root allows it the run lives in its own mount namespace, with the servers' home on a tmpfs, so that the disk can
be made full and nothing outlives the run; and the last worker lives in a network namespace, as on a host of its own.
What is not allowed is named in `refusals`, and its faults are skipped with that reason.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import platform
import shutil
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
from redis.asyncio import Redis

from tests.chaos.calls import CallLog
from tests.chaos.fleet import Lines, Member
from tests.chaos.generator import GeneratorSettings
from tests.chaos.process import ProcessSettings
from tests.chaos.workload import SCHEMA
from tests.support.folders import open_folder
from tests.support.invariants import Journal, install_recorder
from tests.support.proxy import NeedleSpotter, PostgresqlSpotter, Proxy
from tournee.db.migrations import migrate
from tournee.db.pool import Pool, PoolSettings, open_pool
from tournee.embedded import EmbeddedServers, ServersConfig
from tournee.engine.bullmq.scripts import ScriptLibrary
from tournee.engine.postgres.store import PostgresJobStore
from tournee.kit.ports import find_free_port

WORKERS = 4
ENGINES = 2
DISK_BYTES = 4 * 1024**3
CLONE_NEWNS = 0x00020000
REPORTED = ("worker-0", "worker-1")
"""These have a supervisor that tells the ledger of their deaths; the others are found by their heartbeat."""
STATEMENTS = {"claim": b"SET state = 'running'", "completion": b"SET state = 'completed'"}


@dataclass(eq=False)
class Stage:
    """What injectors act on."""

    folder: Path
    servers: EmbeddedServers
    journal: Journal
    workers: list[Member] = field(default_factory=list)
    engines: list[Member] = field(default_factory=list)
    apis: list[Member] = field(default_factory=list)
    callers: list[Member] = field(default_factory=list)
    refusals: dict[str, str] = field(default_factory=dict)
    """Kinds of faults that this machine does not allow, and why."""
    events: list[dict[str, Any]] = field(default_factory=list)
    done: asyncio.Event = field(default_factory=asyncio.Event)
    host_link: str | None = None
    """The network device that leads to the second host."""
    _reports: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def members(self) -> Sequence[Member]:
        """Every process with an engine."""
        return (*self.workers, *self.engines, *self.apis)

    @property
    def everybody(self) -> Sequence[Member]:
        """The callers too."""
        return (*self.members, *self.callers)

    @property
    def calls(self) -> CallLog:
        """What the callers met so far."""
        return CallLog(self.folder / "calls")

    @property
    def database_url(self) -> str:
        return self.servers.postgresql.url

    @property
    def redis_url(self) -> str:
        return self.servers.valkey.url

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[asyncpg.Connection[Any]]:
        """Straight to PostgreSQL, past the proxies."""
        connection = await asyncpg.connect(self.database_url, timeout=5)
        try:
            yield connection
        finally:
            connection.terminate()

    @asynccontextmanager
    async def open_pool(self) -> AsyncIterator[Pool]:
        """The same, as the engine would."""
        pool = await open_pool(PoolSettings(self.database_url, min_size=1, max_size=3))
        try:
            yield pool
        finally:
            pool.terminate()

    @asynccontextmanager
    async def connect_redis(self) -> AsyncIterator[Redis]:
        """Straight to Redis."""
        client = Redis.from_url(self.redis_url, decode_responses=True)
        try:
            yield client
        finally:
            await client.aclose()

    def list_segfaults(self) -> list[int]:
        """Processes that died of a segmentation fault."""
        return [pid for member in self.members for pid, code in member.exits.items() if code == -signal.SIGSEGV]

    def read_server_logs(self) -> str:
        """All that PostgreSQL and Redis said so far."""
        logs = sorted((self.servers_home / "logs").glob("*.log"))
        return "".join(log.read_text(encoding="utf-8", errors="replace") for log in logs)

    def note_event(self, member: Member, event: dict[str, Any]) -> None:
        if event["event"] == "done":
            self.done.set()
        elif event["event"] == "violation":
            self.events.append({"who": member.name, "what": event["what"], "at": time.time()})

    def note_death(self, member: Member, pid: int) -> None:
        """As a supervisor would that tells the ledger of a death."""
        if member.name in REPORTED:
            task = asyncio.create_task(self._report_death(pid))
            self._reports.add(task)
            task.add_done_callback(self._reports.discard)

    async def _report_death(self, pid: int) -> None:
        with suppress(Exception):
            async with self.open_pool() as pool:
                await PostgresJobStore(pool).report_dead_worker([pid], platform.node())

    def calm(self) -> None:
        """Undo all that faults may have left."""
        (self.folder / "provider-is-down").unlink(missing_ok=True)
        for member in self.members:
            for proxy in member.lines.both:
                proxy.heal()
            member.send(do="disarm")
            member.send(do="usurp", on=False)
            member.send(do="skew", seconds=0)
            member.learn()
        for caller in self.callers:
            caller.send(do="resume")
        self.resize_disk(DISK_BYTES)
        self.set_host_link(up=True)

    def resize_disk(self, size: int) -> None:
        """Of the servers' home."""
        if "disk-full" not in self.refusals:
            _run("mount", "-o", f"remount,size={size}", str(self.servers_home))

    def set_host_link(self, *, up: bool) -> None:
        """The cable of the second host."""
        if self.host_link is not None:
            _run("ip", "link", "set", self.host_link, "up" if up else "down")

    @property
    def servers_home(self) -> Path:
        return self.folder / "servers"


def _run(*command: str) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip()}")


def enter_own_mounts() -> str | None:
    """A mount namespace for this process and all that it starts; answers why not, where it is not allowed."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) != 0:
        return f"no mount namespace: {os.strerror(ctypes.get_errno())}"
    try:
        _run("mount", "--make-rprivate", "/")
    except OSError as error:
        return str(error)
    return None


@asynccontextmanager
async def open_stage(generator: GeneratorSettings) -> AsyncIterator[Stage]:
    """Servers, schema, recorder and the fleet, whose members are started by `start_fleet`."""
    async with AsyncExitStack() as stack:
        refused = enter_own_mounts()
        folder = stack.enter_context(open_folder("tournee-chaos", in_memory=True))
        home = folder / "servers"
        home.mkdir(mode=0o711)
        if refused is None:
            try:
                _run("mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=711", "tmpfs", str(home))
                stack.callback(_run, "umount", "-l", str(home))
            except OSError as error:
                refused = str(error)
        servers = EmbeddedServers(home, ServersConfig(durable=False, postgresql_settings={"max_wal_size": "512MB"}))
        await stack.enter_async_context(servers)
        stage = Stage(folder, servers, Journal(folder / "journal"))
        if refused is not None:
            stage.refusals["disk-full"] = refused
        await migrate(stage.database_url)
        async with stage.open_pool() as pool:
            await install_recorder(pool)
            await pool.execute(SCHEMA)
        await _build_fleet(stage, generator, stack)
        stack.push_async_callback(_stop_fleet, stage)
        yield stage


async def _stop_fleet(stage: Stage) -> None:
    await asyncio.gather(*(member.stop() for member in stage.everybody))
    for member in stage.members:
        for proxy in member.lines.both:
            await proxy.stop()


async def _build_fleet(stage: Stage, generator: GeneratorSettings, stack: AsyncExitStack) -> None:
    host = await _open_host(stage, stack)
    for number in range(WORKERS):
        away = host if number == WORKERS - 1 else None
        stage.workers.append(await _build_member(stage, f"worker-{number}", "worker", host=away))
    for number in range(ENGINES):
        stage.engines.append(await _build_member(stage, f"engine-{number}", "engine"))
    api = await _build_member(stage, "api", "api")
    api.settings = replace(api.settings, api_port=find_free_port())
    stage.apis.append(api)
    stage.callers.append(_build_caller(stage, replace(api.settings, name="caller", role="caller", generator=generator)))


@dataclass(frozen=True, slots=True)
class Host:
    """A network namespace, reached at `address` of ours; `entry` is how a program is started in it."""

    address: str
    entry: Sequence[str]


async def _build_member(stage: Stage, name: str, role: str, host: Host | None = None) -> Member:
    library = ScriptLibrary()
    needles = {"fetch": library["moveToActive"].sha, "finish": library["moveToFinished"].sha}
    servers = stage.servers
    address = [host.address] if host else []
    lines = Lines(
        Proxy(servers.postgresql.port, lambda: PostgresqlSpotter(STATEMENTS), *address),
        Proxy(servers.valkey.port, lambda: NeedleSpotter(needles), *address),
    )
    for proxy in lines.both:
        await proxy.start()
    settings = ProcessSettings(
        name,
        role,
        _through(stage.database_url, lines.postgresql),
        _through(stage.redis_url, lines.redis),
        str(stage.folder),
    )
    log = stage.folder / f"{name}.log"
    return Member(settings, lines, log, stage.note_event, stage.note_death, host.entry if host else ())


def _build_caller(stage: Stage, settings: ProcessSettings) -> Member:
    """It knows the API alone: no store's address, and proxies that nobody started."""
    unused = Lines(Proxy(0, lambda: NeedleSpotter({})), Proxy(0, lambda: NeedleSpotter({})))
    settings = replace(settings, database_url="", redis_url="")
    return Member(settings, unused, stage.folder / "caller.log", stage.note_event, stage.note_death)


def _through(url: str, proxy: Proxy) -> str:
    parts = urlsplit(url)
    user, _, _ = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user}@{proxy.host}:{proxy.port}"))


async def _open_host(stage: Stage, stack: AsyncExitStack) -> Host | None:
    """A second host: a network namespace with one cable to ours. It goes with the process that holds it."""
    try:
        if os.geteuid() != 0 or not all(shutil.which(tool) for tool in ("ip", "unshare", "nsenter")):
            raise OSError("network namespaces need root, ip, unshare and nsenter")
        holder = _start_holder()
        stack.callback(_end_holder, holder)
        ours, theirs = f"chaos{os.getpid() % 65536}", f"chaot{os.getpid() % 65536}"
        net = f"10.{83 + os.getpid() % 100}.{os.getpid() // 100 % 250}"
        await _wait_unshared(holder.pid)
        _run("ip", "link", "add", ours, "type", "veth", "peer", "name", theirs)
        _run("ip", "link", "set", theirs, "netns", str(holder.pid))
        _run("ip", "addr", "add", f"{net}.1/24", "dev", ours)
        _run("ip", "link", "set", ours, "up")
        entry = ("nsenter", "-t", str(holder.pid), "-n")
        _run(*entry, "ip", "addr", "add", f"{net}.2/24", "dev", theirs)
        _run(*entry, "ip", "link", "set", theirs, "up")
        _run(*entry, "ip", "link", "set", "lo", "up")
    except OSError as error:
        stage.refusals["host-partition"] = str(error)
        return None
    stage.host_link = ours
    return Host(f"{net}.1", entry)


async def _wait_unshared(pid: int) -> None:
    for _ in range(200):
        if _read_namespace(pid) not in (None, _read_namespace(os.getpid())):
            return
        await asyncio.sleep(0.01)
    raise OSError("no network namespace of its own")


def _read_namespace(pid: int) -> Path | None:
    with suppress(OSError):
        return Path(f"/proc/{pid}/ns/net").readlink()
    return None


def _start_holder() -> subprocess.Popen[bytes]:
    """Holds the namespace until its stdin ends, which it does with this process."""
    return subprocess.Popen(["unshare", "-n", "cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)


def _end_holder(holder: subprocess.Popen[bytes]) -> None:
    if holder.stdin is not None:
        holder.stdin.close()
    holder.wait()


async def start_fleet(members: Sequence[Member]) -> None:
    """Return when each of these serves."""
    for member in members:
        member.start()
    for member in members:
        if not await member.wait_ready(60.0):
            raise TimeoutError(f"{member.name} did not start: {member.log.read_text(encoding='utf-8')[-2000:]}")
