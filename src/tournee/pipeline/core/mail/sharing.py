"""What of an issue may be analysed for everybody who gets it: its subject and text without the one who got this copy.

An analysis is shared by all readers of an issue, so it is made of what they all got. Taken out are greetings, the lines
on how the mail was sent and how to leave, sentences that name the reader, and the local parts of addresses; the rest
stays readable, letter case and all. Keeps: what is taken out as personal for the content hash never gets to an
analyser. Refuses to guess names: it knows those that stand in the mail's own address fields.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from tournee.pipeline.core.mail.fingerprint import find_greeting_end, is_personal_line, normalise_line

SHARED_CHARACTERS: Final = 200_000
"""How much of a text is shared: more than any analyser looks at, and a bound on time."""

_NAME_PART: Final = re.compile(r"[^\W\d_]{3,}")
_ADDRESS: Final = re.compile(r"[^\s<>\"'(),:;@]{1,200}@(?=[^\s<>\"'(),:;@]{1,250})")
_SENTENCE_GAP: Final = re.compile(r"(?<=[.!?…])\s+")
_EDGES: Final = " \t,;:!–—-"
_ROLES: Final = frozenset(
    "abo abonnent abonnenten abonnes admin all announce contact devs editor everyone friends hello home info kontakt"
    " kunde kunden leser lecteur lecteurs list liste mail mailbox me members my news newsletter newsletters office"
    " owner post reader readers redaktion subscriber subscribers support team test the undisclosed recipients user"
    " users web webmaster you your and for gmail".split()
)
"""Words of address fields that name nobody."""

_TOPIC_UNITS: Final = 5
_TOPIC_SHARE: Final = 0.2


@dataclass(frozen=True, slots=True)
class Reader:
    """Whom one copy of an issue was sent to. `words`: any case; `parts`: parts of names, which bear a capital."""

    words: frozenset[str] = frozenset()
    parts: frozenset[str] = frozenset()

    @property
    def is_known(self) -> bool:
        """There is something to look for."""
        return bool(self.words or self.parts)

    def without(self, topics: Iterable[str]) -> Reader:
        """The same reader, without the single words that turned out to be what the issue is about."""
        dropped = {topic for topic in topics if topic.isalpha()}
        return Reader(self.words - dropped, self.parts - dropped)


class _Names:
    """Looks for a reader's names."""

    def __init__(self, reader: Reader) -> None:
        names = sorted(reader.words | reader.parts, key=lambda name: (-len(name), name))
        alternatives = "|".join(r"\s+".join(re.escape(word) for word in name.split()) for name in names)
        name = rf"(?<!\w)(?:{alternatives})(?!\w)(?:['’]s(?!\w))?"
        self._reader = reader
        self._name = re.compile(name, re.IGNORECASE)
        self._opening = re.compile(rf"\s*{name}\s*[,!:]\s*", re.IGNORECASE)
        self._aside = re.compile(rf",\s*{name}(?=\s*(?:[,.!?…:;]|$))", re.IGNORECASE)

    def find(self, text: str) -> list[str]:
        """The names that stand in `text`, folded."""
        return [_fold(found[0]) for found in self._name.finditer(text) if self._is_name(found[0])]

    def drop_address(self, text: str) -> str:
        """Without the name where it only addresses: `Anna, look`, `look, Anna!`."""
        opening = self._opening.match(text)
        if opening and self._is_name(opening[0].strip(_EDGES)):
            text = _capitalise(text[opening.end() :])
        return self._aside.sub(lambda found: "" if self._is_name(found[0].strip(_EDGES)) else found[0], text)

    def cut(self, text: str) -> str:
        """Without the names themselves, on one line."""
        kept = self._name.sub(lambda found: "" if self._is_name(found[0]) else found[0], self.drop_address(text))
        return " ".join(kept.split()).strip(_EDGES) if kept != text else text

    def _is_name(self, found: str) -> bool:
        folded = _fold(found)
        if folded in self._reader.words:
            return True
        return folded in self._reader.parts and found.lstrip()[:1].isupper()


def describe_reader(recipients: Iterable[str], sender: str) -> Reader:
    """Read names and addresses of address fields. Words that name the sender too, or a role, name no reader."""
    known = _ROLES.union(_list_parts(sender))
    words: set[str] = set()
    parts: set[str] = set()
    for recipient in recipients:
        folded = _fold(recipient)
        local_part, at, _ = folded.rpartition("@")
        name = local_part if at else folded
        own = [part for part in _list_parts(name) if part not in known]
        if at:
            words.add(folded)
        if not own:
            continue
        parts.update(own)
        if len(name) >= 3 and (at or " " in name or recipient.islower()):
            words.add(name)
    return Reader(frozenset(words), frozenset(parts))


def share_lines(lines: Iterable[str], reader: Reader) -> list[str]:
    """Subjects and the texts of links without the reader's names."""
    if not reader.is_known:
        return list(lines)
    names = _Names(reader)
    return [names.cut(line) for line in lines]


def share_text(text: str, reader: Reader) -> str:
    """The beginning of a text, without what differs between readers. A gap ends a paragraph, so that what stood on
    both sides of it is never read as one sentence.
    """
    lines = [_drop_frame(index, line) for index, line in enumerate(text[:SHARED_CHARACTERS].split("\n"))]
    if reader.is_known:
        lines = _drop_names(lines, reader)
    return "\n".join(_ADDRESS.sub("…@", line) if "@" in line else line for line in lines).strip()


def _drop_frame(index: int, line: str) -> str:
    normal = normalise_line(line)
    if not normal:
        return line
    end = find_greeting_end(index, normal)
    if end is None:
        return "" if is_personal_line(normal) else line
    if end == len(normal):
        return ""
    rest = re.split(r"[,!:]\s*", unicodedata.normalize("NFC", line), maxsplit=1)[-1]
    return "" if is_personal_line(normal[end:]) else _capitalise(rest)


def _drop_names(lines: list[str], reader: Reader) -> list[str]:
    names = _Names(reader)
    units = [_SENTENCE_GAP.split(unicodedata.normalize("NFC", line)) for line in lines]
    count = sum(1 for sentences in units for sentence in sentences if sentence.strip())
    holding = Counter(name for sentences in units for sentence in sentences for name in set(names.find(sentence)))
    topics = [name for name, times in holding.items() if times > max(_TOPIC_UNITS, _TOPIC_SHARE * count)]
    if topics:
        # A reader named Wolf gets an issue about wolves: nobody is called by name in every fifth sentence.
        reader = reader.without(topics)
        if not reader.is_known:
            return lines
        names = _Names(reader)
    return [
        _drop_sentences(line, sentences, names) if names.find(line) else line
        for line, sentences in zip(lines, units, strict=True)
    ]


def _drop_sentences(line: str, sentences: list[str], names: _Names) -> str:
    kept = [names.drop_address(sentence) for sentence in sentences]
    pieces = ["\n\n" if names.find(sentence) else sentence for sentence in kept]
    joined = " ".join(pieces)
    indent = line[: len(line) - len(line.lstrip())]
    return re.sub(r"\s*\n\n\s*", "\n\n", indent + joined)


def _list_parts(text: str) -> list[str]:
    return _NAME_PART.findall(_fold(text))


def _fold(text: str) -> str:
    folded = " ".join(unicodedata.normalize("NFC", text).lower().split())
    return folded.removesuffix("'s").removesuffix("’s")


def _capitalise(text: str) -> str:
    return text[:1].upper() + text[1:]
