"""One message: bytes in, `ReadMail` out.

Never raises for a bad message. What exceeds the limits is `UNPARSABLE` with a note that says so; everything else is
read as far as it goes, and the notes say what was odd. Pure: no clock, no files, no network.
"""

from __future__ import annotations

import email.message
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from tournee.pipeline.core.detection.classification import Verdict, classify
from tournee.pipeline.core.detection.evidence import Evidence, Layout
from tournee.pipeline.core.mail import fields as header_fields
from tournee.pipeline.core.mail import fingerprint, sanitising
from tournee.pipeline.core.mail.characters import clean_text
from tournee.pipeline.core.mail.header_block import is_mail
from tournee.pipeline.core.mail.language import detect_language
from tournee.pipeline.core.mail.limits import DETECTION_CHARACTERS, LINKS, MESSAGE_BYTES, TEXT_CHARACTERS
from tournee.pipeline.core.mail.mbox import split_mbox
from tournee.pipeline.core.mail.page import Page, read_page
from tournee.pipeline.core.mail.plain import find_links, read_plain
from tournee.pipeline.core.mail.structure import Segment, Structure, TooManyParts, parse_message, read_structure
from tournee.pipeline.ports import Link, MessageClass, ReadMail

__all__ = ["examine_mail", "is_mail", "read_mail", "split_mbox"]

_BLANKS: Final = re.compile(r"\s+")
_ADDRESSES: Final = re.compile(r"https?://\S{1,2000}")
_FEW_WORDS: Final = 25
_RICHER_TIMES: Final = 4
_NOTES: Final = 20
_HEADING_TAGS: Final = ("h1", "h2", "h3", "h4")
_KEPT_FIELD_VALUES: Final = 20
_RECIPIENT_FIELDS: Final = ("to", "delivered-to", "x-original-to", "envelope-to")


class _Notes:
    """What was odd, each once, in order."""

    def __init__(self) -> None:
        self._seen: dict[str, None] = {}

    def add(self, note: str) -> None:
        if len(self._seen) < _NOTES:
            self._seen.setdefault(clean_text(note[:200]))

    def taken(self) -> tuple[str, ...]:
        return tuple(self._seen)


@dataclass(slots=True)
class _Body:
    """The body as its reader sees it, piece by piece: text, links, the pages or plain texts it is made of."""

    text: str = ""
    links: list[Link] = field(default_factory=list)
    pieces: list[Page | str] = field(default_factory=list)

    @property
    def pages(self) -> list[Page]:
        return [piece for piece in self.pieces if isinstance(piece, Page)]


@dataclass(frozen=True, slots=True)
class _Message:
    """A message taken apart, before anything is decided."""

    fields: header_fields.Fields
    structure: Structure
    body: _Body
    evidence: Evidence


def read_mail(raw: bytes) -> ReadMail:
    """Read, classify and clean one message. Takes some milliseconds of CPU; hostile ones take seconds and memory,
    so that it is run in a process with limits of both.
    """
    notes = _Notes()
    if len(raw) > MESSAGE_BYTES:
        return ReadMail(MessageClass.UNPARSABLE, notes=(f"larger than {MESSAGE_BYTES >> 20} MiB",))
    try:
        message = _take_apart(raw, notes)
    except TooManyParts as limit:
        return ReadMail(MessageClass.UNPARSABLE, notes=(*notes.taken(), str(limit)))
    except RecursionError:
        return ReadMail(MessageClass.UNPARSABLE, notes=(*notes.taken(), "nested too deeply"))
    return _conclude(message, classify(message.evidence), notes)


def examine_mail(raw: bytes) -> Evidence:
    """What the rules of detection see of a message. Raises TooManyParts."""
    return _take_apart(raw, _Notes()).evidence


def _take_apart(raw: bytes, notes: _Notes) -> _Message:
    tree: email.message.Message = parse_message(raw, notes.add)
    fields = header_fields.read_fields(tree.raw_items(), notes.add)
    structure = read_structure(tree, notes.add)
    body = _read_body(structure.segments, notes)
    name, address = header_fields.read_sender(fields)
    text = _bound_text(body.text)
    evidence = Evidence(
        headers={key: values[:_KEPT_FIELD_VALUES] for key, values in fields.by_name.items()},
        subject=fields.first("subject")[:1000],
        from_name=name,
        from_address=address,
        text=text,
        folded=_BLANKS.sub(" ", text.casefold()),
        links=body.links,
        layout=_measure(body.pages),
        part_types=structure.part_types[:100],
        attachments=structure.attachments,
    )
    return _Message(fields, structure, body, evidence)


def _conclude(message: _Message, verdict: Verdict, notes: _Notes) -> ReadMail:
    evidence, body, fields = message.evidence, message.body, message.fields
    is_kept = verdict.message_class in (MessageClass.NEWSLETTER, MessageClass.CONFIRMATION)
    sent_at = header_fields.read_date(fields, notes.add)
    message_id = header_fields.read_message_id(fields)
    text = body.text if is_kept else ""
    return ReadMail(
        message_class=verdict.message_class,
        score=verdict.score,
        reasons=verdict.reasons,
        message_id=message_id,
        subject=evidence.subject,
        from_name=evidence.from_name,
        from_address=evidence.from_address,
        sent_at=sent_at,
        language=detect_language(text) if is_kept else "und",
        text=text,
        html=_sanitise(body.pieces) if is_kept else "",
        links=tuple(body.links) if is_kept else (),
        content_hash=_hash(message) if is_kept else "",
        recipients=_read_readers(message) if is_kept else (),
        attachments=tuple(message.structure.attachments),
        notes=notes.taken(),
    )


def _read_body(segments: Iterable[Segment], notes: _Notes) -> _Body:
    body = _Body()
    texts: list[str] = []
    characters = 0
    for segment in segments:
        piece: Page | str = read_page(segment.content) if segment.is_html else read_plain(segment.content)
        if isinstance(piece, Page) and _says_less(piece.text, segment.alternative):
            notes.add("page without text, plain text read")
            body.links.extend(piece.links)
            piece = read_plain(segment.alternative)
        text = piece.text if isinstance(piece, Page) else piece
        if not text.strip() and not isinstance(piece, Page):
            continue
        if characters > TEXT_CHARACTERS:
            notes.add("text cut")
            break
        body.pieces.append(piece)
        body.links.extend(piece.links if isinstance(piece, Page) else find_links(piece))
        texts.append(text)
        characters += len(text)
    body.text = "\n\n".join(text for text in texts if text)[:TEXT_CHARACTERS].strip()
    if not body.links:
        body.links = find_links(body.text)
    body.links = _keep_outside_links(body.links)
    return body


def _says_less(page_text: str, plain: str) -> bool:
    """Whether a page only says that it is one, or where to find it, while the plain text beside it tells the issue."""
    words = len(page_text.split())
    if words > _FEW_WORDS:
        return False
    return bool(plain.strip()) and (words == 0 or len(_ADDRESSES.sub(" ", plain).split()) >= _RICHER_TIMES * _FEW_WORDS)


def _keep_outside_links(links: Iterable[Link]) -> list[Link]:
    """Links that lead somewhere, each address once, in order."""
    kept: dict[str, Link] = {}
    for link in links:
        if link.url.lower().startswith(("http://", "https://")) and len(kept) < LINKS:
            earlier = kept.get(link.url)
            if earlier is None or (not earlier.text and link.text):
                kept[link.url] = link
    return list(kept.values())


def _bound_text(text: str) -> str:
    """What the rules look at: the start, where an issue says what it is, and the end, where it says how to leave."""
    if len(text) <= DETECTION_CHARACTERS:
        return text
    return text[: DETECTION_CHARACTERS * 2 // 3] + "\n" + text[-DETECTION_CHARACTERS // 3 :]


def _measure(pages: list[Page]) -> Layout:
    def total(*tags: str) -> int:
        return sum(page.tags[tag] for page in pages for tag in tags)

    return Layout(
        has_html=bool(pages),
        tables=total("table"),
        cells=total("td", "th"),
        images=total("img"),
        headings=total(*_HEADING_TAGS),
        large_texts=sum(page.large_texts for page in pages),
        hidden_elements=sum(page.hidden_elements for page in pages),
        counting_pixels=sum(page.counting_pixels for page in pages),
        list_items=total("li"),
    )


def _sanitise(pieces: Iterable[Page | str]) -> str:
    pages: list[str] = []
    for piece in pieces:
        if isinstance(piece, str):
            pages.append(sanitising.wrap_plain_text(piece))
        elif piece.tree is not None:
            pages.append(sanitising.sanitise_page(piece.tree.html or ""))
        else:
            pages.append(sanitising.wrap_plain_text(piece.text))
    return sanitising.join_pages(pages)


def _read_recipients(message: _Message) -> list[tuple[str, str]]:
    """Name and address of whom this copy was sent to, as its headers tell."""
    read = (header_fields.read_address(message.fields.first(name)[:500]) for name in _RECIPIENT_FIELDS)
    return [(name, address) for name, address in read if name or address]


def _read_readers(message: _Message) -> tuple[str, ...]:
    """The recipients that are persons: no mailing list, and not the sender."""
    lists = " ".join(message.fields.first(name)[:500].casefold() for name in ("list-post", "list-id"))
    readers = dict.fromkeys(
        part
        for name, address in _read_recipients(message)
        if address != message.evidence.from_address.lower()
        and not (address and (address in lists or address.replace("@", ".") in lists))
        for part in (name, address)
        if part
    )
    return tuple(readers)


def _hash(message: _Message) -> str:
    recipients = [part for pair in _read_recipients(message) for part in pair if part]
    return fingerprint.hash_content(
        message.evidence.subject,
        message.body.text,
        recipients[:4],
        message.body.links,
        [source for page in message.body.pages for source in page.image_sources],
    )
