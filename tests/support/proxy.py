"""A TCP proxy between one process and one store, which can do what networks do.

Delay, cut, half-open silence (both ways swallowed, no FIN), and traps on single requests: lose the answer of a COMMIT
that was executed, hold a request back, hold its answer back. Invariant: what was swallowed once is never made good,
so a connection that met silence stays mute until its client gives it up. Refuses to change a byte. Counts what it did,
so that a test can tell a fault that struck from one that found nobody.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Protocol

from tournee.kit.ports import LOOPBACK, find_free_port

_CHUNK = 256 * 1024
_SETTLE_SECONDS = 0.05
"""How long after the first bytes of an answer the rest of it is waited for before the connection is cut."""
_ENTRY = re.compile(rb"j\d+-\d+")
"""The id of a dispatch."""
_BEFORE_START = frozenset({80877102, 80877103, 80877104})
"""Codes of CancelRequest, SSLRequest and GSSENCRequest, which come in place of a start-up message."""


class Flow(Enum):
    """What becomes of bytes."""

    PASS = auto()
    CUT = auto()
    SILENT = auto()


class Trick(Enum):
    """What a trap does to the request that springs it."""

    LOSE_ANSWER = auto()
    HOLD_REQUEST = auto()
    HOLD_ANSWER = auto()


@dataclass(eq=False, slots=True)
class Trap:
    """Waits for the next request of a name; `sprung` is set when it was caught (an answer: when it came, and only one
    that says that something was done).
    """

    request: str
    trick: Trick
    seconds: float = 0.0
    sprung: asyncio.Event = field(default_factory=asyncio.Event)
    lifted: bool = False


@dataclass(slots=True)
class Harm:
    """What a proxy did to its client, since it was made."""

    broken: int = 0
    """Connections cut."""
    refused: int = 0
    """Connections not let in."""
    swallowed: int = 0
    """Pieces that never arrived."""
    delayed: int = 0
    passed: int = 0
    """Pieces of the client's that arrived."""


class Spotter(Protocol):
    """Reads what one client sends and names the requests that it knows; tells an answer that says that it was done."""

    def spot(self, data: bytes) -> Collection[str]: ...

    def was_done(self, answer: bytes) -> bool: ...


class NeedleSpotter:
    """For Redis: a request is known by a text in it, such as the SHA-1 of a script."""

    def __init__(self, needles: Mapping[str, bytes]) -> None:
        self._needles = needles

    def spot(self, data: bytes) -> Collection[str]:
        return [name for name, needle in self._needles.items() if needle in data]

    def was_done(self, answer: bytes) -> bool:
        """Whether it names a job: a fetch from an empty queue moved nothing."""
        return _ENTRY.search(answer) is not None


class PostgresqlSpotter:
    """Understands enough of PostgreSQL's protocol to know a COMMIT, and prepared statements by a text of their SQL."""

    def __init__(self, fragments: Mapping[str, bytes]) -> None:
        self._fragments = fragments
        self._buffer = bytearray()
        self._started = False
        self._statements: dict[bytes, str] = {}

    def spot(self, data: bytes) -> Collection[str]:
        self._buffer += data
        found = []
        while (message := self._take_message()) is not None:
            kind, body = message
            name = self._name_request(kind, body)
            if name is not None:
                found.append(name)
        return found

    def was_done(self, answer: bytes) -> bool:
        """No error, no COMMIT that became a ROLLBACK, no statement that found no row."""
        return answer[:1] != b"E" and b"ROLLBACK\0" not in answer and b"UPDATE 0\0" not in answer

    def _take_message(self) -> tuple[bytes, bytes] | None:
        prefix = 1 if self._started else 0
        if len(self._buffer) < prefix + 4:
            return None
        length = int.from_bytes(self._buffer[prefix : prefix + 4], "big")
        if len(self._buffer) < prefix + length:
            return None
        kind, body = bytes(self._buffer[:prefix]), bytes(self._buffer[prefix + 4 : prefix + length])
        del self._buffer[: prefix + length]
        if not self._started:
            self._started = int.from_bytes(body[:4], "big") not in _BEFORE_START
        return kind, body

    def _name_request(self, kind: bytes, body: bytes) -> str | None:
        if kind == b"Q":
            return "commit" if body[:6].upper() == b"COMMIT" else None
        if kind == b"P":
            statement, sql = body.split(b"\0", 2)[:2]
            known = next((name for name, fragment in self._fragments.items() if fragment in sql), None)
            if known is None:
                self._statements.pop(statement, None)
            else:
                self._statements[statement] = known
        elif kind == b"B":
            return self._statements.get(body.split(b"\0", 2)[1])
        return None


class Proxy:
    """Listens for one process and passes on to one server, until told otherwise. One event loop."""

    def __init__(self, target_port: int, make_spotter: Callable[[], Spotter], host: str = LOOPBACK) -> None:
        self.host = host
        self.port = 0
        self.flow = Flow.PASS
        self.delay_seconds = 0.0
        self.harm = Harm()
        self._target_port = target_port
        self._make_spotter = make_spotter
        self._server: asyncio.Server | None = None
        self._links: set[Link] = set()
        self._traps: list[Trap] = []

    async def start(self) -> None:
        """Listen on a free port below the range of outgoing connections."""
        self.port = find_free_port()
        self._server = await asyncio.start_server(self._serve, self.host, self.port, limit=_CHUNK)

    async def stop(self) -> None:
        """Cut all and listen no more."""
        self.cut()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    def cut(self) -> None:
        """Break every connection and refuse new ones, until `heal`."""
        self.flow = Flow.CUT
        self.harm.broken += len(self._links)
        for link in list(self._links):
            link.abort()

    def fall_silent(self) -> None:
        """Swallow both ways without a FIN, until `heal`; connections are still accepted."""
        self.flow = Flow.SILENT

    def heal(self) -> None:
        """Pass again, at once. Connections that met silence stay mute."""
        self.flow = Flow.PASS
        self.delay_seconds = 0.0

    def set_trap(self, request: str, trick: Trick, seconds: float = 0.0) -> Trap:
        """For the next request of that name on any connection."""
        trap = Trap(request, trick, seconds)
        self._traps.append(trap)
        return trap

    def set_again(self, trap: Trap) -> None:
        """It caught a request that did nothing."""
        if not trap.lifted:
            self._traps.append(trap)

    def lift_trap(self, trap: Trap) -> None:
        """It is not waited for any more."""
        trap.lifted = True
        if trap in self._traps:
            self._traps.remove(trap)

    def take_trap(self, names: Collection[str]) -> Trap | None:
        """The trap that one of these requests springs; it is lifted by that."""
        trap = next((trap for trap in self._traps if trap.request in names), None)
        if trap is not None:
            self._traps.remove(trap)
        return trap

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.flow is Flow.CUT:
            self.harm.refused += 1
            writer.transport.abort()
            return
        try:
            upstream = await asyncio.open_connection(LOOPBACK, self._target_port, limit=_CHUNK)
        except OSError:
            writer.transport.abort()
            return
        link = Link(self, (reader, writer), upstream, self._make_spotter())
        self._links.add(link)
        try:
            await link.run()
        finally:
            self._links.discard(link)


class Link:
    """One connection, both halves."""

    def __init__(
        self,
        proxy: Proxy,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        server: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        spotter: Spotter,
    ) -> None:
        self._proxy = proxy
        self._client_reader, self._client_writer = client
        self._server_reader, self._server_writer = server
        self._spotter = spotter
        self._mute = False
        self._trap: Trap | None = None

    async def run(self) -> None:
        """Pump until either side ends."""
        pumps = [asyncio.create_task(self._pump_up()), asyncio.create_task(self._pump_down())]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            self.abort()

    def abort(self) -> None:
        """Close both halves at once."""
        self._client_writer.transport.abort()
        self._server_writer.transport.abort()

    def _is_mute(self) -> bool:
        self._mute = self._mute or self._proxy.flow is Flow.SILENT
        self._proxy.harm.swallowed += self._mute
        return self._mute

    async def _pump_up(self) -> None:
        with suppress(OSError):
            while data := await self._client_reader.read(_CHUNK):
                names = self._spotter.spot(data)
                if self._proxy.delay_seconds:
                    self._proxy.harm.delayed += 1
                    await asyncio.sleep(self._proxy.delay_seconds)
                if self._is_mute():
                    continue
                await self._meet_trap(names)
                self._proxy.harm.passed += 1
                self._server_writer.write(data)
                await self._server_writer.drain()

    async def _meet_trap(self, names: Collection[str]) -> None:
        trap = self._proxy.take_trap(names) if names else None
        if trap is not None and trap.trick is Trick.HOLD_REQUEST:
            trap.sprung.set()
            await asyncio.sleep(trap.seconds)
        elif trap is not None:
            self._trap = trap

    async def _pump_down(self) -> None:
        with suppress(OSError):
            while data := await self._server_reader.read(_CHUNK):
                if self._is_mute():
                    continue
                trap, self._trap = self._trap, None
                if trap is not None and not self._spotter.was_done(data):
                    # Nothing was done, so that no answer of worth can be lost: it waits for the next.
                    self._proxy.set_again(trap)
                    trap = None
                if trap is not None:
                    trap.sprung.set()
                if trap is not None and trap.trick is Trick.LOSE_ANSWER:
                    await asyncio.sleep(_SETTLE_SECONDS)
                    return
                if trap is not None:
                    await asyncio.sleep(trap.seconds)
                self._client_writer.write(data)
                await self._client_writer.drain()
        if self._mute:
            # The server has hung up, but the client must not hear of it.
            await asyncio.Event().wait()
