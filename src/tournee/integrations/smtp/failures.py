"""What a failed exchange with an SMTP server means for the job.

Pure. The rule: what would hit the next mail just the same is an outage (`OutsideUnavailable`: parked, no attempt used);
what is about this mail or this recipient is a refusal (`Rejected`: a failed attempt). A connection that broke after the
text was handed over leaves open whether it was taken: the mail is sent again under the same Message-ID.
"""

from __future__ import annotations

import re

from aiosmtplib import SMTPDataError, SMTPRecipientRefused, SMTPResponseException, SMTPSenderRefused

from tournee.pipeline.ports import OutsideUnavailable, Rejected

PROVIDER = "smtp"
MAX_DETAIL = 300

_LOGIN_WANTED = frozenset({530, 534, 535, 538})
_TOO_LARGE = frozenset({552, 523})
_ENHANCED_STATUS = re.compile(r"\b([245]\.\d{1,3}\.\d{1,3})\b")
_RECIPIENT_FOR_NOW = frozenset({"4.1.1", "4.1.2", "4.1.3", "4.2.1", "4.2.2"})
"""Temporary, and about this mailbox alone (RFC 3463): unknown, its domain unknown, disabled, full. Parking these would
let one full mailbox open the breaker for everyone. 4.2.0 is not among them: greylisting answers it to all."""


def read_failure(error: Exception) -> OutsideUnavailable | Rejected:
    """The port's error for what the client library raised."""
    if isinstance(error, SMTPResponseException):
        detail = _describe_answer(error)
        refused = _is_about_this_mail(error)
        return Rejected(f"SMTP: {detail}") if refused else OutsideUnavailable(PROVIDER, detail)
    if isinstance(error, TimeoutError):
        return OutsideUnavailable(PROVIDER, f"no answer in time: {_clean(str(error)) or 'time limit'}")
    return OutsideUnavailable(PROVIDER, f"{type(error).__name__}: {_clean(str(error))}")


def _is_about_this_mail(error: SMTPResponseException) -> bool:
    permanent = 500 <= error.code <= 599 and error.code not in _LOGIN_WANTED
    match error:
        case SMTPSenderRefused():
            return error.code in _TOO_LARGE
        case SMTPRecipientRefused():
            status = _ENHANCED_STATUS.search(error.message)
            return permanent or (status is not None and status[1] in _RECIPIENT_FOR_NOW)
        case SMTPDataError():
            return permanent
        case _:
            return False


def _describe_answer(error: SMTPResponseException) -> str:
    step = {
        SMTPSenderRefused: "sender refused",
        SMTPRecipientRefused: "recipient refused",
        SMTPDataError: "mail refused",
    }.get(type(error), type(error).__name__)
    return f"{step}: {error.code} {_clean(error.message)}"


def _clean(answer: str) -> str:
    """A server's words on one line, short; a reply may hold anything."""
    return " ".join("".join(char if char.isprintable() else " " for char in answer).split())[:MAX_DETAIL]
