"""An e-mail of ours as RFC 5322 bytes.

Pure. Invariants: every header is one we meant to write (a line break in a value is a space, in an address or a header's
name it is refused), the Message-ID on the wire is the one given, every line is at most 998 bytes of ASCII unless the
recipient's address itself is not ASCII. No `Precedence: bulk`: `Auto-Submitted` is what keeps auto-responders quiet
today, and the older header would make an alert look like a newsletter to the very mailbox it tells about.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime, parseaddr

from tournee.pipeline.core.text import to_single_line
from tournee.pipeline.ports import Email, Rejected

LOOP_HEADER = "X-Loop"
LOOP_MARK = "tournee"
"""Every mail of ours bears it: an alert that arrives in the very mailbox it tells about must be known again, or each
alert would bring the next one."""
MAX_SUBJECT = 250
MAX_HEADER_BYTES = 900
_MESSAGE_ID = re.compile(r"<[!-;=?A-~]{1,200}@[!-;=?A-~]{1,200}>")
_HEADER_NAME = re.compile(r"[!-9;-~]{1,60}")
_NOT_IN_ADDRESS = re.compile(r"[\s\x00-\x1f\x7f<>,;:\"()\[\]\\]")
_OURS = frozenset({
    "from", "to", "cc", "bcc", "sender", "reply-to", "return-path", "subject", "date", "message-id", "received",
    "mime-version", "x-loop",
})  # fmt: skip
_OUR_PREFIXES = ("content-", "resent-", "dkim-", "arc-")


@dataclass(frozen=True, slots=True)
class WireMail:
    """What a mail server is given: the envelope and the bytes, lines ended by CRLF."""

    sender: str
    recipient: str
    content: bytes


class _WirePolicy(EmailPolicy):
    """The library's SMTP policy, which would turn a long URL in a header into an encoded word that nobody decodes."""

    def fold_binary(self, name: str, value: str) -> bytes:
        whole = f"{name}: {value}\r\n"
        if name.lower() != "subject" and value.isascii() and len(whole) <= MAX_HEADER_BYTES:
            return whole.encode("ascii")
        return super().fold_binary(name, value)


_WIRE = _WirePolicy(linesep="\r\n", cte_type="7bit")
_WIRE_UTF8 = _WirePolicy(linesep="\r\n", cte_type="7bit", utf8=True)


def parse_sender(sender: str) -> Address:
    """`Name <user@host>` or `user@host`. ValueError if it is neither, so that a wrong setting fails at the start."""
    name, address = parseaddr(to_single_line(sender, 300))
    local, _, domain = address.rpartition("@")
    if not local or not domain or not address.isascii() or _NOT_IN_ADDRESS.search(address):
        raise ValueError(f"not the address of a sender: {sender!r}")
    return Address(display_name=name, username=local, domain=domain)


def compose_message(email: Email, sender: Address, now: datetime) -> WireMail:
    """The mail to hand over. Rejected if its recipient is no address, ValueError if a header is not ours to set.

    A domain outside ASCII is written in its ASCII form; a local part outside ASCII stays, and needs SMTPUTF8.
    """
    recipient = _parse_recipient(email.to)
    message = EmailMessage(policy=_WIRE if recipient.isascii() else _WIRE_UTF8)
    message["From"] = sender
    message["To"] = recipient
    message["Subject"] = to_single_line(email.subject, MAX_SUBJECT)
    message["Date"] = format_datetime(now)
    message["Message-ID"] = _check_message_id(email.message_id)
    message[LOOP_HEADER] = LOOP_MARK
    for name, value in ({"Auto-Submitted": "auto-generated"} | dict(email.headers)).items():
        message[_check_header_name(name)] = to_single_line(value, MAX_HEADER_BYTES)
    message.set_content(_clean_body(email.text))
    if email.html is not None:
        message.add_alternative(_clean_body(email.html), subtype="html")
        message.set_boundary(f"=_{email.message_id.encode().hex()[:48]}")
    return WireMail(sender.addr_spec, recipient, message.as_bytes())


def _parse_recipient(recipient: str) -> str:
    local, at, domain = recipient.strip().rpartition("@")
    if not at or not local or not domain or _NOT_IN_ADDRESS.search(local + domain) or len(recipient) > 320:
        raise Rejected(f"not an address: {recipient[:100]!r}")
    try:
        return f"{local}@{domain if domain.isascii() else domain.encode('idna').decode('ascii')}"
    except UnicodeError as error:
        raise Rejected(f"not an address: {recipient[:100]!r}") from error


def _check_message_id(message_id: str) -> str:
    if not _MESSAGE_ID.fullmatch(message_id):
        raise ValueError(f"not a Message-ID: {message_id[:100]!r}")
    return message_id


def _check_header_name(name: str) -> str:
    lowered = name.lower()
    if not _HEADER_NAME.fullmatch(name) or lowered in _OURS or lowered.startswith(_OUR_PREFIXES):
        raise ValueError(f"a header that an e-mail cannot set: {name[:60]!r}")
    return name


def _clean_body(text: str) -> str:
    """Without NUL, lone carriage returns and lone surrogates, which no charset of a mail can carry."""
    cleaned = text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")
    return cleaned.encode("utf-8", "replace").decode("utf-8")
