"""The Mailer over SMTP.

A mail is sent when the server answered 250 to its text, and not before. If the connection breaks in between, nobody
can know whether it was taken; it is then reported as an outage, sent again under the same Message-ID, and the receiver
can drop the repeat.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

from aiosmtplib import SMTP, SMTPException, SMTPSenderRefused, SMTPServerDisconnected

from tournee.integrations.smtp.connections import Connections, SmtpLimits
from tournee.integrations.smtp.failures import PROVIDER, read_failure
from tournee.integrations.smtp.server_url import parse_smtp_url
from tournee.pipeline.core.rfc5322 import WireMail, compose_message, parse_sender
from tournee.pipeline.ports import Email, OutsideUnavailable, Rejected

SERVICE_CLOSING = 421


def _read_clock() -> datetime:
    return datetime.now(UTC)


class SmtpMailer:
    """Sends through the server that `url` names (see `server_url`), from `sender` (`Name <user@host>`).

    ValueError if either is malformed. `send` raises OutsideUnavailable("smtp") or Rejected as `failures` says.
    """

    provider = PROVIDER

    def __init__(
        self,
        url: str,
        sender: str,
        limits: SmtpLimits | None = None,
        read_clock: Callable[[], datetime] = _read_clock,
    ) -> None:
        self._sender = parse_sender(sender)
        self._limits = limits or SmtpLimits()
        self._connections = Connections(parse_smtp_url(url), self._limits, helo=self._sender.domain)
        self._free = asyncio.Semaphore(self._limits.connections)
        self._read_clock = read_clock

    async def send(self, email: Email) -> None:
        """Returns when the server took responsibility. A cancelled send closes its connection."""
        mail = compose_message(email, self._sender, self._read_clock())
        async with self._wait_for_turn():
            try:
                async with asyncio.timeout(self._limits.send_seconds):
                    await self._transfer(mail)
            except (SMTPException, OSError) as error:  # TimeoutError and ssl.SSLError are OSErrors.
                raise read_failure(error) from error

    async def close(self) -> None:
        """Close what is idle. Sends under way end by themselves."""
        await self._connections.close()

    @contextlib.asynccontextmanager
    async def _wait_for_turn(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._limits.wait_seconds):
                await self._free.acquire()
        except TimeoutError as error:
            message = f"no connection became free in {self._limits.wait_seconds:g} s"
            raise OutsideUnavailable(PROVIDER, message) from error
        try:
            yield
        finally:
            self._free.release()

    async def _transfer(self, mail: WireMail) -> None:
        client = await self._begin(mail)
        try:
            await client.rcpt(mail.recipient, encoding="utf-8")
            await client.data(mail.content)
        except SMTPException as error:
            await self._settle_refusal(client, error)
            raise
        except BaseException:
            client.close()
            raise
        self._connections.keep(client)

    async def _begin(self, mail: WireMail) -> SMTP:
        """A connection on which MAIL FROM was answered 250. One that went stale between mails is replaced, once."""
        kept = self._connections.take_idle()
        if kept is not None:
            try:
                await self._name_sender(kept, mail)
            except SMTPServerDisconnected:
                kept.close()
            except SMTPSenderRefused as error:
                if error.code != SERVICE_CLOSING:
                    raise
            else:
                return kept
        client = await self._connections.open()
        await self._name_sender(client, mail)
        return client

    async def _name_sender(self, client: SMTP, mail: WireMail) -> None:
        try:
            await client.mail(mail.sender, options=_choose_options(client, mail), encoding="utf-8")
        except BaseException:
            client.close()
            raise

    async def _settle_refusal(self, client: SMTP, error: SMTPException) -> None:
        """After a clear refusal of this mail the connection is good for the next one."""
        if isinstance(read_failure(error), Rejected):
            with contextlib.suppress(SMTPException, OSError):
                await client.rset()
                self._connections.keep(client)
                return
        client.close()


def _choose_options(client: SMTP, mail: WireMail) -> list[str]:
    options = [f"SIZE={len(mail.content)}"] if client.supports_extension("size") else []
    if mail.recipient.isascii():
        return options
    if not client.supports_extension("smtputf8"):
        raise Rejected(f"the mail server cannot reach an address outside ASCII: {mail.recipient!r}")
    return [*options, "SMTPUTF8", "BODY=8BITMIME"]
