"""The mail that is no newsletter: people, lists, shops, machines; and the mails that ask to confirm a subscription."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parseaddr
from importlib import resources
from typing import Any

from tournee_sandbox.mailbox import mime
from tournee_sandbox.mailbox.pdf import draw_pdf
from tournee_sandbox.mailbox.people import PEOPLE
from tournee_sandbox.mailbox.sample import SampleMail


def write_correspondence() -> list[SampleMail]:
    """The letters of `letters.toml`, and three whose MIME needs code."""
    content = resources.files("tournee_sandbox.mailbox").joinpath("letters.toml").read_text(encoding="utf-8")
    letters = [_write_letter(letter) for letter in tomllib.loads(content)["letter"]]
    return [*letters, _write_bounce(), _write_invitation(), _write_letter_with_attachment()]


def _write_letter(letter: Mapping[str, Any]) -> SampleMail:
    charset, encoding = letter.get("charset", "us-ascii"), letter.get("encoding", "7bit")
    if "html" in letter:
        charset = "utf-8" if charset == "us-ascii" else charset
        encoding = "quoted-printable" if encoding == "7bit" else encoding
        body = mime.text_part(letter["html"].strip() + "\n", "html", charset, encoding)
    else:
        text = letter["text"].lstrip("\n")
        if not text.isascii() and charset == "us-ascii":
            charset, encoding = "utf-8", "quoted-printable"
        body = mime.text_part(text, "plain", charset, encoding)
    headers = _write_head(letter["person"], letter["from"], letter["subject"], letter["date"], letter.get("to"))
    headers += [(name, value) for name, value in letter.get("headers", [])]
    filed = _file(letter["person"], letter["date"], letter["subject"], letter["oddity"], headers, body)
    return replace(filed, message_class=letter["class"])


def _write_bounce() -> SampleMail:
    date = datetime(2026, 10, 18, 16, 20, tzinfo=UTC)
    subject = "Undelivered Mail Returned to Sender"
    explanation = (
        "This is the mail system at mx.post.example.\n\nYour message could not be delivered to one recipient.\n\n"
        "<ladder@family.example>: host mx.family.example said: 550 5.1.1 unknown user\n"
    )
    status = (
        "Reporting-MTA: dns; mx.post.example\n\nFinal-Recipient: rfc822; ladder@family.example\nAction: failed\n"
        "Status: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 unknown user\n"
    )
    returned = "From: alice@post.example\nTo: ladder@family.example\nSubject: Where is the ladder?\n\nIs it with you?\n"
    body = mime.multipart(
        "report",
        [
            mime.text_part(explanation, "plain", "us-ascii", "7bit"),
            mime.Part((("Content-Type", "message/delivery-status"),), mime.encode_body(status.encode(), "7bit")),
            mime.Part((("Content-Type", "message/rfc822"),), mime.encode_body(returned.encode(), "7bit")),
        ],
        parameters=" report-type=delivery-status;",
    )
    headers = _write_head("alice", "Mail Delivery System <mailer-daemon@mx.post.example>", subject, date, None)
    headers = [("Return-Path", "<>"), *headers, ("Auto-Submitted", "auto-replied")]
    return _file("alice", date, subject, "a bounce", headers, body)


def _write_invitation() -> SampleMail:
    date = datetime(2026, 10, 21, 9, 45, tzinfo=UTC)
    subject = "Einladung: Dachreparatur mit Siebenschläfer"
    event = (
        "BEGIN:VCALENDAR\nVERSION:2.0\nMETHOD:REQUEST\nPRODID:-//Sternwarte//Kalender//DE\nBEGIN:VEVENT\n"
        "UID:dach-2026@sternwarte-am-hang.example\nDTSTAMP:20261021T094500Z\nDTSTART:20261024T080000Z\n"
        "DTEND:20261024T110000Z\nSUMMARY:Dachreparatur\nLOCATION:Sternwarte am Hang\nEND:VEVENT\nEND:VCALENDAR\n"
    )
    text = "Wir treffen uns am Samstag um zehn an der Kuppel. Handschuhe mitbringen, Nüsse auch.\n"
    body = mime.multipart(
        "alternative",
        [
            mime.text_part(text, "plain", "utf-8", "quoted-printable"),
            mime.text_part(event, "calendar", "utf-8", "7bit", "; method=REQUEST"),
        ],
    )
    headers = _write_head("dieter", "Amelie Thorwart <amelie@sternwarte-am-hang.example>", subject, date, None)
    return _file("dieter", date, subject, "an invitation with a calendar part", headers, body)


def _write_letter_with_attachment() -> SampleMail:
    date = datetime(2026, 11, 8, 18, 0, tzinfo=UTC)
    subject = "Scan of grandmother's plum cake"
    text = "Found it behind the flour tin. The stain on line four is the original.\n\nTheo\n"
    pdf = draw_pdf(["Plum cake", "750 g plums, 300 g flour, 1 sachet of yeast", "Bake at 180 degrees for 40 minutes"])
    body = mime.multipart(
        "mixed",
        [
            mime.text_part(text, "plain", "us-ascii", "7bit"),
            mime.file_part(pdf, "application/pdf", "plum-cake.pdf"),
        ],
    )
    headers = _write_head("alice", "Theo Wrenfield <theo@family.example>", subject, date, None)
    return _file("alice", date, subject, "personal, with a PDF", headers, body)


def _write_head(person: str, sender: str, subject: str, date: datetime, to: str | None) -> list[tuple[str, str]]:
    name, address = parseaddr(sender)
    reader = PEOPLE[person]
    to_name, to_address = parseaddr(to) if to is not None else (reader.full_name, reader.address)
    material = hashlib.sha256(f"{person}:{sender}:{subject}".encode()).hexdigest()
    return [
        ("From", mime.encode_address(name, address, "utf-8")),
        ("To", mime.encode_address(to_name, to_address, "utf-8")),
        ("Subject", mime.encode_header(subject, "utf-8")),
        ("Date", mime.encode_date(date)),
        ("Message-ID", f"<{material[:20]}@{address.rpartition('@')[2]}>"),
    ]


def _file(
    person: str,
    date: datetime,
    subject: str,
    oddity: str,
    headers: list[tuple[str, str]],
    body: mime.Part,
) -> SampleMail:
    return SampleMail(
        person=person,
        raw=mime.serialize_mail(headers, body),
        message_class="other",
        date=date,
        oddity=oddity,
        message_id=dict(headers)["Message-ID"].strip("<>"),
        subject=subject,
    )
