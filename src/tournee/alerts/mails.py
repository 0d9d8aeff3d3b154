"""Alerts as the administrators read them: one plain text for all that is told at once.

Pure. What failed, how often, since when, what it means, what to do, and where to look.
"""

from __future__ import annotations

from collections.abc import Sequence

from tournee.alerts.ports import Message
from tournee.alerts.wording import ENGLISH, LANGUAGES, Language

RULE = "-" * 60


def write_subject(messages: Sequence[Message], language_name: str) -> str:
    """What it is about, or how many things."""
    language = LANGUAGES.get(language_name, ENGLISH)
    if len(messages) == 1:
        return messages[0].title
    return f"{language.several.format(count=len(messages))}{language.colon} {messages[0].title}, …"


def write_text(messages: Sequence[Message], language_name: str) -> str:
    """All of them, the one below the other."""
    language = LANGUAGES.get(language_name, ENGLISH)
    return f"\n\n{RULE}\n\n".join(_write_one(message, language) for message in messages) + "\n"


def _write_one(message: Message, language: Language) -> str:
    blocks = [message.title]
    if message.text:
        blocks.append(message.text)
    blocks.append("\n".join(_write_field(name, value, language) for name, value in message.fields))
    for label, text in ((language.meaning, message.meaning), (language.remedy, message.remedy)):
        if text:
            blocks.append(f"{label}{language.colon}\n{text}")
    if message.link:
        blocks.append(f"{language.link}{language.colon} {message.link}")
    if not message.mails:
        blocks.append(language.undelivered)
    return "\n\n".join(blocks)


def _write_field(name: str, value: str, language: Language) -> str:
    if "\n" not in value:
        return f"{name}{language.colon} {value}"
    lines = "\n".join(f"  {line}" for line in value.split("\n"))
    return f"{name}{language.colon}\n{lines}"
