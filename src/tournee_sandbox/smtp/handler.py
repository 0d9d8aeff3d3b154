"""What the simulator answers at each step of a mail: the fault the plan holds for it, else what a good server says.

The rule a client may rely on holds here as on any server: 250 after DATA means that the mail is kept.
"""

from __future__ import annotations

import asyncio
from email.parser import BytesHeaderParser
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from tournee_sandbox.smtp.fault_plan import Fault, FaultPlan
from tournee_sandbox.smtp.mail_store import MailStore


class MailHandler:
    """aiosmtpd's hooks. `ended` is set when the simulator stops; it frees those that hang."""

    def __init__(
        self,
        store: MailStore,
        plan: FaultPlan,
        ended: asyncio.Event,
        login_required: bool = False,
    ) -> None:
        self._store = store
        self._login_required = login_required
        self._plan = plan
        self._ended = ended

    async def handle_MAIL(  # noqa: N802 - a hook is found by the command's name
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        if self._login_required and not session.authenticated:
            return "530 5.7.0 Authentication required"
        fault = self._plan.take("mail", address)
        if fault is not None and (answer := await self._misbehave(server, fault)) is not None:
            return answer
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(  # noqa: N802 - as above
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        fault = self._plan.take("rcpt", address, [address])
        if fault is not None and (answer := await self._misbehave(server, fault)) is not None:
            return answer
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(  # noqa: N802 - as above
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        raw = envelope.original_content or b""
        message_id = str(BytesHeaderParser().parsebytes(raw)["Message-ID"])
        fault = self._plan.take("data", message_id, envelope.rcpt_tos)
        if fault is not None and fault.kind in ("hang", "disconnect") and fault.stored:
            await self._keep(raw, envelope)
        if fault is not None and (answer := await self._misbehave(server, fault)) is not None:
            return answer
        return await self._keep(raw, envelope)

    async def _keep(self, raw: bytes, envelope: Envelope) -> str:
        try:
            mail = await self._store.add(raw, envelope.mail_from or "", envelope.rcpt_tos)
        except OSError as error:
            return f"452 4.3.1 Could not be written: {error.strerror or 'error'}"
        return f"250 2.0.0 OK, kept as {mail.number}"

    async def _misbehave(self, server: SMTP, fault: Fault) -> str | None:
        """What to answer instead; None: go on as if nothing were."""
        match fault.kind:
            case "refuse":
                return f"{fault.code} {fault.text}"
            case "delay":
                await self._wait_until_ended(fault.seconds)
                return None
            case "hang":
                await self._ended.wait()
            case "disconnect":
                transport: Any = server.transport
                transport.abort()
                await asyncio.Event().wait()  # Ended by the cancellation that the lost connection brings.
        return "421 4.3.2 Going down"

    async def _wait_until_ended(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._ended.wait(), seconds)
        except TimeoutError:
            return
