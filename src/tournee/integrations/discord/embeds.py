"""Alerts in Discord's words: one embed each, within every limit that Discord sets.

Pure. Nothing can ping anybody: no mention is ever parsed, and what came from outside is escaped.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tournee.alerts.conditions import Severity
from tournee.alerts.ports import Message, Phase

MAX_EMBEDS = 10
MAX_ALL = 6000
"""Characters of all embeds of a message together: titles, descriptions, fields, footers."""
MAX_TITLE = 256
MAX_DESCRIPTION = 4096
"""Title, description and footer at their largest leave room below `MAX_ALL`."""
MAX_FIELDS = 25
MAX_FIELD_NAME = 256
MAX_FIELD_VALUE = 1024
MAX_FOOTER = 256
MAX_URL = 2048
INLINE = 40
"""Values up to this length stand side by side."""

GREEN = 0x2E9E5B
COLOURS: Mapping[Severity, int] = {Severity.CRITICAL: 0xB3261E, Severity.ERROR: 0xD9622B, Severity.WARNING: 0xC9A227}

_MARKUP = re.compile(r"[`*~|<>\[\]\\@]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")


def build_payload(messages: Sequence[Message]) -> dict[str, Any]:
    """The body of one webhook execution. The caller gives no more than `count_fitting` says."""
    return {
        "username": "Tournée",
        "embeds": [build_embed(message) for message in messages],
        "allowed_mentions": {"parse": []},
    }


def build_embed(message: Message) -> dict[str, Any]:
    """One alert."""
    described = [f"**{message.text}**" if message.text else "", message.meaning, _italic(message.remedy)]
    embed: dict[str, Any] = {
        "title": _clip(escape_markup(message.title), MAX_TITLE),
        "color": GREEN if message.phase is Phase.ENDED else COLOURS[message.severity],
        "fields": [_build_field(name, value) for name, value in message.fields[:MAX_FIELDS]],
        "footer": {"text": _clip(message.footer, MAX_FOOTER)},
        "timestamp": message.at.isoformat(timespec="seconds"),
    }
    if description := "\n".join(part for part in described if part):
        embed["description"] = _clip(description, MAX_DESCRIPTION)
    if message.link and len(message.link) <= MAX_URL:
        embed["url"] = message.link
    return _shorten(embed)


def escape_markup(text: str) -> str:
    """Without the signs that a chat would read as formatting, a link or a mention; within a word `_` is none."""
    return _MARKUP.sub(lambda found: {"`": "'", "<": "‹", ">": "›", "@": "＠"}.get(found[0], "\\" + found[0]), text)


def count_characters(embed: Mapping[str, Any]) -> int:
    """What counts towards the limit of a whole message."""
    fields = sum(_measure(field["name"]) + _measure(field["value"]) for field in embed["fields"])
    others = (embed["title"], embed.get("description", ""), embed["footer"]["text"])
    return fields + sum(map(_measure, others))


def count_fitting(messages: Sequence[Message]) -> int:
    """How many of these, from the first, fit into one message; at least 1."""
    total = 0
    for number, message in enumerate(messages[:MAX_EMBEDS]):
        total += count_characters(build_embed(message))
        if total > MAX_ALL:
            return max(1, number)
    return max(1, min(len(messages), MAX_EMBEDS))


def _build_field(name: str, value: str) -> dict[str, Any]:
    shown = _clip(escape_markup(value), MAX_FIELD_VALUE) or "–"
    inline = len(shown) <= INLINE and "\n" not in shown
    return {"name": _clip(name, MAX_FIELD_NAME) or "–", "value": shown, "inline": inline}


def _shorten(embed: dict[str, Any]) -> dict[str, Any]:
    """An embed that is too long by itself loses its last fields."""
    while count_characters(embed) > MAX_ALL and embed["fields"]:
        embed["fields"].pop()
    return embed


def _italic(text: str) -> str:
    return f"*{text}*" if text else ""


def _measure(text: str) -> int:
    """By what Discord counts, UTF-16 units: a sign outside the plane counts twice, half a one alone once."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _clip(text: str, limit: int) -> str:
    if _measure(text) <= limit:
        return text
    cut = text[: limit - 1]
    while _measure(cut) > limit - 1:
        cut = cut[:-1]
    return cut + "…"
