"""The processes of a run, and the supervisor that brings back whichever dies, at once.

Each is connected through proxies of its own, one to each store, so that it alone can be cut off. Only processes that
were started here are ever signalled.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.chaos.process import ProcessSettings
from tests.support.proxy import Proxy

ROOT = Path(__file__).resolve().parents[2]
OURS = (str(ROOT), str(ROOT / "src"))
"""Where the processes import from: this checkout, wherever the environment's own copy lies."""
PAUSE_SECONDS = 0.1
END_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Lines:
    """The two proxies of one process."""

    postgresql: Proxy
    redis: Proxy

    @property
    def both(self) -> Sequence[Proxy]:
        return (self.postgresql, self.redis)


@dataclass(eq=False)
class Member:
    """One place in the fleet: always one process, whatever becomes of it. `entry`: a command to start it behind."""

    settings: ProcessSettings
    lines: Lines
    log: Path
    on_event: Callable[[Member, dict[str, Any]], None]
    on_death: Callable[[Member, int], None]
    entry: Sequence[str] = ()
    holder: str = ""
    deaths: int = 0
    exits: dict[int, int] = field(default_factory=dict)
    """How each process of this place ended, by its pid; minus the signal's number, as Python says it."""
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    _process: asyncio.subprocess.Process | None = None
    _keeper: asyncio.Task[None] | None = None
    _wanted: bool = False
    _waiting: dict[str, asyncio.Event] = field(default_factory=dict)
    _asked: int = 0
    _answers: dict[int, asyncio.Future[dict[str, Any]]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.settings.name

    @property
    def pid(self) -> int:
        """Of the process that runs now, or ran last."""
        return self._process.pid if self._process is not None else 0

    def start(self) -> None:
        """Start it, and again whenever it ends, until `stop`."""
        self._wanted = True
        self._keeper = asyncio.create_task(self._keep_alive())

    async def stop(self) -> None:
        """SIGTERM; after its patience SIGKILL."""
        self._wanted = False
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        if self._keeper is None:
            return
        done, _ = await asyncio.wait({self._keeper}, timeout=END_SECONDS)
        if not done:
            self.signal(signal.SIGKILL)
            await self._keeper

    def signal(self, number: int) -> None:
        """To the process that runs now; nothing if none does."""
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.send_signal(number)

    def send(self, **command: Any) -> None:
        """One command. Lost if the process is dying."""
        if self._process is not None and self._process.stdin is not None:
            with suppress(OSError, RuntimeError):
                self._process.stdin.write((json.dumps(command) + "\n").encode())

    async def ask(self, timeout_seconds: float = 20.0, **command: Any) -> dict[str, Any] | None:
        """One command, and what the process answers when it has obeyed; None if it died over it."""
        self._asked += 1
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._answers[self._asked] = answer
        self.send(**command, ask=self._asked)
        try:
            return await asyncio.wait_for(answer, timeout_seconds)
        except TimeoutError:
            return None
        finally:
            del self._answers[self._asked]

    async def kill(self) -> bool:
        """SIGKILL the process that runs now, and wait until it has died of it."""
        pid = self.pid
        self.ready.clear()
        self.signal(signal.SIGKILL)
        for _ in range(200):
            if pid in self.exits:
                return self.exits[pid] == -signal.SIGKILL
            await asyncio.sleep(0.05)
        return False

    def read_state(self) -> str:
        """The kernel's word on the process that runs now: T is stopped; empty: there is none."""
        with suppress(OSError, IndexError):
            return Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
        return ""

    async def reach(self, point: str, *, freezes: bool, seconds: float = 6.0) -> bool:
        """Arm a point and wait until the process stands there; False if it did not come by."""
        await self.wait_ready()
        self.send(do="arm", point=point, freezes=freezes)
        if await self.wait_reached(point, seconds):
            return True
        self.send(do="disarm")
        return False

    async def wait_reached(self, point: str, seconds: float) -> bool:
        """Wait for the event of that point."""
        reached = self._waiting.setdefault(point, asyncio.Event())
        reached.clear()
        try:
            await asyncio.wait_for(reached.wait(), seconds)
        except TimeoutError:
            return False
        return True

    async def wait_ready(self, seconds: float = 20.0) -> bool:
        """Wait until the process that runs now serves."""
        try:
            await asyncio.wait_for(self.ready.wait(), seconds)
        except TimeoutError:
            return False
        return True

    async def _keep_alive(self) -> None:
        while self._wanted:
            await self._run_once()
            if self._wanted:
                await asyncio.sleep(PAUSE_SECONDS)

    async def _run_once(self) -> None:
        with self.log.open("ab") as stderr:
            self._process = await asyncio.create_subprocess_exec(
                *self.entry,
                sys.executable,
                "-m",
                "tests.chaos.process",
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(OURS)},
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=stderr,
                # As services are: Ctrl-C reaches the nemesis alone, and the scheduler gives each its own share.
                start_new_session=True,
            )
        pid = self._process.pid
        self._process.stdin.write((json.dumps(asdict(self.settings)) + "\n").encode())  # type: ignore[union-attr]
        await self._read_events(self._process)
        self.exits[pid] = await self._process.wait()
        self.ready.clear()
        if self._wanted:
            self.deaths += 1
            self.on_death(self, pid)

    async def _read_events(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        while line := await process.stdout.readline():
            event = json.loads(line)
            if event["event"] == "ready":
                self.holder = event["holder"]
                self.ready.set()
            elif event["event"] == "reached":
                self._waiting.setdefault(event["point"], asyncio.Event()).set()
            elif event["event"] == "obeyed":
                answer = self._answers.get(event["ask"])
                if answer is not None and not answer.done():
                    answer.set_result(event)
            self.on_event(self, event)

    async def forget(self) -> None:
        """Neither this process nor those that come after it know the new kind: the deploy has not begun."""
        self.settings = replace(self.settings, knows_novel=False)
        await self.ask(do="forget")

    def learn(self) -> None:
        """This process and those that come after it know the new kind."""
        self.settings = replace(self.settings, knows_novel=True)
        self.send(do="learn")
