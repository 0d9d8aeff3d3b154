"""The connections to the SMTP server: a bounded number, kept for a while between mails.

A connection is given to one mail at a time and comes back only when it is between two mails for certain; after a time
limit, a cancellation or an unclear answer it is closed. A password never crosses a network in clear text.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass

from aiosmtplib import SMTP, SMTPException, SMTPHeloError

from tournee.integrations.smtp.server_url import SmtpServer

QUIT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class SmtpLimits:
    """`wait_seconds + send_seconds` stays below the time limit of the job that sends."""

    connections: int = 2
    """At once. Providers allow few to one account."""
    connect_seconds: float = 10.0
    wait_seconds: float = 30.0
    """For a connection that others hold."""
    send_seconds: float = 60.0
    """From taking a connection to the server's answer."""
    idle_seconds: float = 20.0
    """How long a connection without work is kept."""


class Connections:
    """Opens, keeps and closes connections. Belongs to one event loop."""

    def __init__(self, server: SmtpServer, limits: SmtpLimits, helo: str) -> None:
        self._server = server
        self._limits = limits
        self._helo = server.helo or helo
        self._idle: list[tuple[SMTP, asyncio.TimerHandle]] = []
        self._leaving: set[asyncio.Task[None]] = set()

    def take_idle(self) -> SMTP | None:
        """A connection that was used before, if one is still open."""
        while self._idle:
            client, timer = self._idle.pop()
            timer.cancel()
            if client.is_connected:
                return client
            client.close()
        return None

    async def open(self) -> SMTP:
        """A new connection: encrypted as the server's URL asks, greeted, logged in. Raises what the library raises."""
        server = self._server
        client = SMTP(
            hostname=server.host,
            port=server.port,
            local_hostname=self._helo,
            timeout=self._limits.connect_seconds,
            use_tls=server.implicit_tls,
            start_tls={"offered": None, "required": True, "never": False}[server.starttls],
            validate_certs=server.verify,
            cert_bundle=server.ca_file,
        )
        try:
            await client.connect()
            await _greet(client)
            await self._log_in(client)
        except BaseException:
            client.close()
            raise
        client.timeout = self._limits.send_seconds
        return client

    def keep(self, client: SMTP) -> None:
        """Take back a connection that is between two mails."""
        timer = asyncio.get_running_loop().call_later(self._limits.idle_seconds, self._retire, client)
        self._idle.append((client, timer))

    async def close(self) -> None:
        """Leave politely, within a bound."""
        for client, timer in self._idle:
            timer.cancel()
            self._leave(client)
        self._idle.clear()
        if self._leaving:
            await asyncio.wait(self._leaving)

    async def _log_in(self, client: SMTP) -> None:
        server = self._server
        if server.user is None:
            return
        encrypted = client.get_transport_info("sslcontext") is not None
        if not (encrypted or server.is_loopback or server.starttls == "never"):
            raise SMTPException("the server offers no STARTTLS, and the password would travel in clear text")
        await client.login(server.user, server.password)

    def _retire(self, client: SMTP) -> None:
        self._idle = [(other, timer) for other, timer in self._idle if other is not client]
        self._leave(client)

    def _leave(self, client: SMTP) -> None:
        task = asyncio.create_task(_quit(client), name="smtp-quit")
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)


async def _greet(client: SMTP) -> None:
    """EHLO where STARTTLS has not done it; HELO for a server that knows nothing newer."""
    if not client.is_ehlo_or_helo_needed:
        return
    try:
        await client.ehlo()
    except SMTPHeloError:
        await client.helo()


async def _quit(client: SMTP) -> None:
    with contextlib.suppress(SMTPException, OSError):
        await client.quit(timeout=QUIT_SECONDS)
    client.close()
