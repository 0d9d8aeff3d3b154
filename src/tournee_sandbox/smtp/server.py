"""The SMTP simulator: an aiosmtpd server and its control interface, started and stopped together."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tournee_sandbox.loopback import LoopbackHttp, listen_on_loopback
from tournee_sandbox.smtp.control import build_control
from tournee_sandbox.smtp.fault_plan import Fault, FaultPlan
from tournee_sandbox.smtp.handler import MailHandler
from tournee_sandbox.smtp.mail_store import MailStore

LARGEST_MAIL_BYTES = 50 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class SmtpOptions:
    """How the server presents itself. Ports None: free ones."""

    port: int | None = None
    control_port: int | None = None
    tls: ssl.SSLContext | None = None
    implicit_tls: bool = False
    """TLS from the first byte (as on port 465) rather than STARTTLS."""
    user: str | None = None
    password: str = field(default="", repr=False)
    smtputf8: bool = True


class SmtpSimulator:
    """Takes mail on loopback, keeps it under `folder`, misbehaves as `plan` says."""

    name = "smtp"

    def __init__(self, folder: Path, seed: int, options: SmtpOptions | None = None) -> None:
        self.store = MailStore(folder)
        self.plan = FaultPlan(seed)
        self._options = options or SmtpOptions()
        self._control = LoopbackHttp(build_control(self.store, self.plan), self._options.control_port)
        self._server: asyncio.Server | None = None
        self._ended = asyncio.Event()
        self._connections: set[asyncio.BaseTransport] = set()
        self._port = 0

    async def start(self) -> None:
        self._ended.clear()
        self.store.open()
        try:
            listener = listen_on_loopback(self._options.port)
            self._port = listener.getsockname()[1]
            loop = asyncio.get_running_loop()
            tls = self._options.tls if self._options.implicit_tls else None
            self._server = await loop.create_server(self._meet_connection, sock=listener, ssl=tls)
            await self._control.start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        self._ended.set()
        if self._server is not None:
            self._server.close()
            for transport in list(self._connections):
                cut: Any = transport
                cut.abort()
            await self._server.wait_closed()
            self._server = None
        await self._control.stop()
        await self.store.close()

    def read_addresses(self) -> Mapping[str, str]:
        scheme = "smtps" if self._options.implicit_tls else "smtp"
        return {
            "url": f"{scheme}://127.0.0.1:{self._port}",
            "control": self._control.url,
        }

    def count_connections(self) -> int:
        """How many clients are connected now."""
        return len(self._connections)

    def _meet_connection(self) -> asyncio.Protocol:
        fault = self.plan.take("connect", "connection")
        if fault is not None:
            if fault.kind != "delay":
                return _Unwelcoming(fault, self._connections)
            return self._build_session(_DelayedSession, seconds=fault.seconds)
        return self._build_session(_TrackedSession)

    def _build_session(self, session: type[_TrackedSession], **extra: Any) -> _TrackedSession:
        options = self._options
        return session(
            MailHandler(
                self.store,
                self.plan,
                self._ended,
                login_required=options.user is not None,
            ),
            connections=self._connections,
            **extra,
            hostname="sandbox.localhost",
            ident="Tournee sandbox",
            data_size_limit=LARGEST_MAIL_BYTES,
            enable_SMTPUTF8=options.smtputf8,
            tls_context=None if options.implicit_tls else options.tls,
            require_starttls=options.tls is not None and not options.implicit_tls,
            auth_require_tls=options.tls is not None and not options.implicit_tls,
            authenticator=self._authenticate if options.user is not None else None,
            loop=asyncio.get_running_loop(),
        )

    def _authenticate(
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
        mechanism: str,
        login: Any,
    ) -> AuthResult:
        options = self._options
        expected = LoginPassword((options.user or "").encode(), options.password.encode())
        return AuthResult(success=login == expected, handled=login == expected)


class _TrackedSession(SMTP):
    """aiosmtpd's protocol; its transports are known to the simulator, so that stopping closes them."""

    def __init__(
        self,
        handler: MailHandler,
        *,
        connections: set[asyncio.BaseTransport],
        **options: Any,
    ) -> None:
        super().__init__(handler, **options)
        self._all_connections = connections
        self._own_transports: list[asyncio.BaseTransport] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called a second time, with the encrypted transport, after STARTTLS."""
        self._own_transports.append(transport)
        self._all_connections.add(transport)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._all_connections.difference_update(self._own_transports)
        super().connection_lost(error)


class _DelayedSession(_TrackedSession):
    """Greets late."""

    def __init__(self, *args: Any, seconds: float, **options: Any) -> None:
        super().__init__(*args, **options)
        self._seconds = seconds

    async def _handle_client(self) -> None:
        await asyncio.sleep(self._seconds)
        await super()._handle_client()


class _Unwelcoming(asyncio.Protocol):
    """Takes a connection and refuses it, cuts it, or says nothing for ever."""

    def __init__(self, fault: Fault, connections: set[asyncio.BaseTransport]) -> None:
        self._fault = fault
        self._connections = connections
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._connections.add(transport)
        if self._fault.kind == "refuse":
            transport.write(f"{self._fault.code} {self._fault.text}\r\n".encode("ascii"))
            transport.close()
        elif self._fault.kind == "disconnect":
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None:
            self._connections.discard(self._transport)
