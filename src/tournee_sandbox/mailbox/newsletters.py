"""The mails of the newsletters: each issue for each of its readers."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from tournee_sandbox.mailbox import mime
from tournee_sandbox.mailbox.content_loader import Issue, load_issues
from tournee_sandbox.mailbox.damage import DAMAGES
from tournee_sandbox.mailbox.layouts import Copy, render_html, render_text
from tournee_sandbox.mailbox.pdf import draw_pdf
from tournee_sandbox.mailbox.people import PEOPLE
from tournee_sandbox.mailbox.sample import SampleMail


def write_newsletters(seed: int) -> list[SampleMail]:
    """Oldest first; the copies of an issue in the order of its readers."""
    return [_write_copy(Copy(issue, PEOPLE[reader], seed)) for issue in load_issues() for reader in issue.readers]


def _write_copy(copy: Copy) -> SampleMail:
    issue, publisher = copy.issue, copy.issue.publisher
    message_id = f"{publisher.key}.{issue.number}.{copy.token('message-id')[:16]}@{publisher.host}"
    headers = write_bulk_headers(copy, message_id)
    if issue.damage is None:
        raw = mime.serialize_mail(headers, write_body(copy))
        oddity = f"{publisher.body}, {publisher.charset}, {publisher.encoding}"
    else:
        raw = DAMAGES[issue.damage](copy, headers)
        oddity = issue.damage
    return SampleMail(
        person=copy.reader.key,
        raw=raw,
        message_class="newsletter",
        date=issue.date,
        message_id=message_id,
        issue=issue.key,
        language=None if issue.damage == "image-only" else publisher.language,
        subject=issue.subject,
        planted_failure=issue.planted_failure,
        oddity=oddity,
    )


def write_bulk_headers(copy: Copy, message_id: str) -> list[tuple[str, str]]:
    """The head of a mass mail, with what its publisher sets of the headers meant for one."""
    issue, publisher = copy.issue, copy.issue.publisher
    sent = issue.date + timedelta(seconds=int(copy.token("delay")[:4], 16) % 240)
    token = copy.token("unsubscribe")
    headers = [
        ("Return-Path", f"<bounce+{token[:10]}@{publisher.host}>"),
        ("Received", _trace(copy, sent + timedelta(seconds=3))),
        ("DKIM-Signature", _sign(copy)),
        ("From", mime.encode_address(publisher.name, publisher.address, publisher.charset)),
        ("To", mime.encode_address(copy.reader.full_name, copy.reader.address, "utf-8")),
        ("Subject", mime.encode_header(issue.subject, publisher.charset)),
        ("Date", mime.encode_date(sent)),
        ("Message-ID", f"<{message_id}>"),
    ]
    list_id = ("List-Id", f"{mime.encode_header(publisher.name, 'utf-8')} <{publisher.key}.{publisher.host}>")
    unsubscribe = ("List-Unsubscribe", f"<{copy.link_to('unsubscribe')}>, <mailto:leave+{token[:10]}@{publisher.host}>")
    by_bulk: dict[str, list[tuple[str, str]]] = {
        "full": [
            list_id,
            unsubscribe,
            ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
            ("Feedback-ID", f"{issue.number}:{publisher.key}:letter"),
            ("Precedence", "bulk"),
        ],
        "listid": [list_id, ("Precedence", "bulk")],
        "unsubscribe": [unsubscribe],
        "wording": [],
    }
    return headers + by_bulk[publisher.bulk]


def write_body(copy: Copy) -> mime.Part:
    """The parts its publisher sends, and the attachment if the issue has one."""
    publisher = copy.issue.publisher
    flowed = "; format=flowed" if publisher.layout == "plain" and publisher.charset == "utf-8" else ""
    parts = []
    if publisher.body in ("text", "alternative"):
        text = render_text(copy)
        parts.append(mime.text_part(text, "plain", publisher.charset, publisher.encoding, flowed))
    if publisher.body in ("html", "alternative"):
        parts.append(mime.text_part(render_html(copy), "html", publisher.charset, publisher.encoding))
    body = parts[0] if len(parts) == 1 else mime.multipart("alternative", parts)
    return body if copy.issue.attachment is None else _attach(body, copy.issue, copy.issue.attachment)


def _attach(body: mime.Part, issue: Issue, name: str) -> mime.Part:
    pdf = draw_pdf([issue.publisher.name, issue.subject, *(item.title for item in issue.items)])
    return mime.multipart("mixed", [body, mime.file_part(pdf, "application/pdf", name)])


def _trace(copy: Copy, arrived: datetime) -> str:
    token, host = copy.token("unsubscribe"), copy.issue.publisher.host
    return (
        f"from out{int(token[:2], 16) % 8}.{host} (out.{host} [192.0.2.{int(token[2:4], 16)}])\r\n"
        f"\tby mx.post.example with ESMTPS id {token[4:14]};\r\n\t{mime.encode_date(arrived)}"
    )


def _sign(copy: Copy) -> str:
    """Looks like a signature; nothing could verify it, and nothing tries."""
    material = hashlib.sha256(copy.token("dkim").encode()).hexdigest()
    return (
        f"v=1; a=rsa-sha256; c=relaxed/relaxed; d={copy.issue.publisher.host}; s=k1;\r\n"
        f"\th=from:to:subject:date:message-id; bh={material[:43]}=;\r\n\tb={material}{material[::-1]}"
    )
