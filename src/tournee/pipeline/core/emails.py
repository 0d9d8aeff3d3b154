"""The e-mails that leave the pipeline: alerts to readers, notices to administrators.

Pure. Everything taken from a newsletter was written by strangers: it is escaped in HTML, reduced to one line in
a header, and only http(s) links become links. The Message-ID depends on the delivery alone, so that a repeat of
the same delivery carries the same id.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape

from tournee.pipeline.core.notice_wording import NoticeWording, choose_notice_wording
from tournee.pipeline.core.text import clean_text, to_single_line
from tournee.pipeline.core.wording import WORDINGS, Wording
from tournee.pipeline.ports import Email, KeyLink

MAX_SUBJECT = 180
_HEADERS = {"Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All"}


@dataclass(frozen=True, slots=True)
class Alert:
    """One newsletter, as its reader is told of it."""

    delivery_id: int
    target: str
    language: str
    mailbox: str
    title: str
    sender: str
    summary: str
    summary_language: str
    topics: Sequence[str]
    key_links: Sequence[KeyLink]
    reading_minutes: int
    why: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Notice:
    """One fault, as the administrators are told of it; it is one of so many `faults` of its incident."""

    notice_id: int
    fault_key: str
    subject: str
    body: str
    faults: int = 1
    began_at: datetime | None = None


def make_message_id(name: str, identity: str, host: str) -> str:
    """`<name.hash@host>`: the same for the same arguments, for ever."""
    digest = hashlib.sha256(f"{name}\n{identity}\n{host}".encode()).hexdigest()[:12]
    return f"<{name}.{digest}@{host}>"


def compose_alert(alert: Alert, host: str) -> Email:
    """The alert as text and HTML in its reader's language (English where there is no wording for it)."""
    wording = WORDINGS.get(alert.language, WORDINGS["en"])
    title = to_single_line(alert.title, MAX_SUBJECT) or wording.untitled
    sender = to_single_line(alert.sender, MAX_SUBJECT)
    sender_name = sender.partition(" <")[0].strip("\"'")
    return Email(
        message_id=make_message_id(f"delivery-{alert.delivery_id}", alert.target, host),
        to=alert.target,
        subject=to_single_line(f"{title} – {sender_name}" if sender_name else title, MAX_SUBJECT),
        text=_write_text(alert, wording, title, sender),
        html=_write_html(alert, wording, title, sender),
        headers=_HEADERS,
    )


def compose_notice(notice: Notice, address: str, host: str, console_url: str = "", language: str = "en") -> Email:
    """The notice to one administrator, as plain text. `console_url`: where its job is shown."""
    wording = choose_notice_wording(language)
    blocks = [
        *_count_faults(notice, wording),
        clean_text(notice.body).rstrip(),
        *_link_job(notice, console_url, wording),
    ]
    return Email(
        message_id=make_message_id(f"notice-{notice.notice_id}", f"{notice.fault_key}\n{address}", host),
        to=address,
        subject=to_single_line(f"[Tournée] {notice.subject}", MAX_SUBJECT),
        text="\n".join(blocks) + "\n",
        headers=_HEADERS,
    )


def _count_faults(notice: Notice, wording: NoticeWording) -> list[str]:
    """How often and since when, where that is more than this once."""
    if notice.faults < 2 or notice.began_at is None:
        return []
    since = notice.began_at.strftime("%Y-%m-%d %H:%M:%S %Z")
    return [wording.faults.format(faults=notice.faults, since=since), ""]


def _link_job(notice: Notice, console_url: str, wording: NoticeWording) -> list[str]:
    """The fault's key ends with the job and its dispatch."""
    job_id = notice.fault_key.split(":")[-2:-1]
    if not console_url or not job_id or not job_id[0].isdigit():
        return []
    return [wording.console.format(link=f"{console_url.rstrip('/')}/jobs/{job_id[0]}")]


def explain_delivery(why: Mapping[str, str], mailbox: str, wording: Wording) -> str:
    """One sentence saying which rule brought this alert."""
    if not why:
        return wording.why_default.format(mailbox=to_single_line(mailbox, 100))
    parts = [wording.criteria.get(name, "{}").format(to_single_line(value, 200)) for name, value in why.items()]
    return wording.why_rule.format(criteria=", ".join(parts))


def _describe(alert: Alert, wording: Wording, sender: str) -> str:
    parts = [
        wording.from_sender.format(sender=sender) if sender else "",
        ", ".join(to_single_line(topic, 80) for topic in alert.topics[:5]),
        wording.reading_time.format(minutes=alert.reading_minutes) if alert.reading_minutes else "",
    ]
    return " · ".join(part for part in parts if part)


def _web_links(links: Sequence[KeyLink]) -> list[KeyLink]:
    return [link for link in links if link.url.lower().startswith(("http://", "https://"))]


def _write_text(alert: Alert, wording: Wording, title: str, sender: str) -> str:
    summary = clean_text(alert.summary).strip() or wording.summary_missing
    blocks = [f"{title}\n{_describe(alert, wording, sender)}".rstrip(), summary]
    if links := _web_links(alert.key_links):
        lines = [f"- {to_single_line(link.why, 300)}\n  {to_single_line(link.url, 2000)}" for link in links]
        blocks.append("\n".join([wording.key_links + wording.colon, *lines]))
    blocks.append("-- \n" + explain_delivery(alert.why, alert.mailbox, wording))
    return "\n\n".join(blocks) + "\n"


def _write_html(alert: Alert, wording: Wording, title: str, sender: str) -> str:
    summary = clean_text(alert.summary).strip() or wording.summary_missing
    paragraphs = "".join(f"<p>{escape(block)}</p>" for block in summary.split("\n") if block.strip())
    items = "".join(
        f'<li><a href="{escape(link.url)}" rel="noopener noreferrer">{escape(link.why or link.url)}</a></li>'
        for link in _web_links(alert.key_links)
    )
    links = f"<h2>{escape(wording.key_links)}</h2><ul>{items}</ul>" if items else ""
    language = escape(alert.language if alert.language in WORDINGS else "en")
    return (
        f'<!DOCTYPE html><html lang="{language}"><head><meta charset="utf-8"><title>{escape(title)}</title></head>'
        f'<body style="font-family:sans-serif;max-width:40em;margin:auto;line-height:1.5">'
        f'<h1 dir="auto">{escape(title)}</h1><p dir="auto">{escape(_describe(alert, wording, sender))}</p>'
        f'<div lang="{escape(alert.summary_language)}" dir="auto">{paragraphs}</div>{links}'
        f"<hr><p><small>{escape(explain_delivery(alert.why, alert.mailbox, wording))}</small></p></body></html>"
    )
