"""Lays messages out as Discord's dark theme does: the page that a person, or a camera, looks at.

Nothing is fetched from anywhere: no picture, no font, no script. Text is escaped before any mark in it is read.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from jinja2 import Environment, PackageLoader
from markupsafe import Markup

from tournee_sandbox.discord.message_store import ReceivedMessage

_TIMES = {
    "t": "%H:%M",
    "T": "%H:%M:%S",
    "d": "%d/%m/%Y",
    "D": "%-d %B %Y",
    "f": "%-d %B %Y %H:%M",
    "F": "%A, %-d %B %Y %H:%M",
}
_BLOCK = re.compile(r"```(?:[a-z]{0,20}\n)?(.{1,4000}?)```", re.DOTALL)
_MARKS = (
    (re.compile(r"`([^`\n]{1,1000})`"), r"<code>\1</code>"),
    (re.compile(r"\*\*([^*\n]{1,1000})\*\*"), r"<strong>\1</strong>"),
    (re.compile(r"__([^_\n]{1,1000})__"), r"<u>\1</u>"),
    (re.compile(r"(?<![\w*])[*_]([^*_\n]{1,1000})[*_](?![\w*])"), r"<em>\1</em>"),
    (re.compile(r"~~([^~\n]{1,1000})~~"), r"<s>\1</s>"),
    (re.compile(r"(?m)^-# (.{1,1000})$"), r"<small>\1</small>"),
    (re.compile(r"(?m)^&gt; ?(.{0,1000})$"), r"<q>\1</q>"),
    (re.compile(r"\[([^\]\n]{1,500})\]\((https?://[^\s)]{1,2000})\)"), r'<a href="\2" rel="noreferrer">\1</a>'),
    (re.compile(r'(?<!["\w=])(https?://[^\s<)]{1,2000})'), r'<a href="\1" rel="noreferrer">\1</a>'),
)
_TIME = re.compile(r"&lt;t:(\d{1,12})(?::([tTdDfFR]))?&gt;")
_environment = Environment(
    loader=PackageLoader("tournee_sandbox.discord"), autoescape=True, trim_blocks=True, lstrip_blocks=True
)


def render_page(messages: Sequence[ReceivedMessage], total: int) -> str:
    """The page of these messages, in the order given."""
    template = _environment.get_template("messages.html")
    return template.render(messages=[_prepare(message) for message in messages], total=total)


def render_markdown(text: str) -> Markup:
    """Discord's Markdown as HTML: the marks that notices use, the rest as it stands."""
    pieces = []
    for number, piece in enumerate(_BLOCK.split(text)):
        escaped = html.escape(piece)
        pieces.append(f"<pre>{escaped}</pre>" if number % 2 else _mark(escaped))
    return Markup("".join(pieces))  # noqa: S704 - escaped above


def _mark(escaped: str) -> str:
    for pattern, replacement in _MARKS:
        escaped = pattern.sub(replacement, escaped)
    return _TIME.sub(_write_time, escaped)


def _write_time(match: re.Match[str]) -> str:
    moment = datetime.fromtimestamp(int(match[1]), UTC)
    if match[2] == "R":
        return f"<time>{_write_distance((datetime.now(UTC) - moment).total_seconds())}</time>"
    return f"<time>{moment.strftime(_TIMES[match[2] or 'f'])}</time>"


def _write_distance(seconds: float) -> str:
    amount = abs(seconds)
    for size, name in ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")):
        if amount >= size:
            count = int(amount // size)
            words = f"{count} {name}{'s' * (count > 1)}"
            return f"{words} ago" if seconds >= 0 else f"in {words}"
    return "now"


def _prepare(message: ReceivedMessage) -> dict[str, Any]:
    sent = message.sent
    name = str(sent.get("username") or message.webhook_name)
    return {
        "number": message.number,
        "name": name,
        "letter": name[:1].upper(),
        "at": _write_moment(message.received_at),
        "content": render_markdown(str(sent.get("content") or "").strip()),
        "embeds": [_prepare_embed(embed) for embed in sent.get("embeds") or ()],
        "mentions_everyone": message.mentions_everyone,
        "answered": message.answered,
    }


def _prepare_embed(embed: dict[str, Any]) -> dict[str, Any]:
    color = embed.get("color")
    fields = [
        {
            "name": render_markdown(str(field["name"]).strip()),
            "value": render_markdown(str(field["value"]).strip()),
            "inline": bool(field.get("inline")),
        }
        for field in embed.get("fields") or ()
    ]
    timestamp = embed.get("timestamp")
    return {
        "color": f"#{int(color):06x}" if color is not None else "#1e1f22",
        "author": (embed.get("author") or {}).get("name"),
        "title": render_markdown(str(embed.get("title") or "").strip()),
        "url": embed.get("url") if str(embed.get("url")).startswith(("http://", "https://")) else None,
        "description": render_markdown(str(embed.get("description") or "").strip()),
        "fields": fields,
        "footer": (embed.get("footer") or {}).get("text"),
        "timestamp": _write_moment(timestamp) if timestamp else None,
    }


def _write_moment(timestamp: str) -> str:
    moment = datetime.fromisoformat(str(timestamp))
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC).strftime("%d/%m/%Y %H:%M")
