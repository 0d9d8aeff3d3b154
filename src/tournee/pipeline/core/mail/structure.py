"""The parts of a message: which of them are its body, which are attached.

The tree is built by the standard library under its `compat32` policy: it reads structure fields by simple rules
that neither raise nor slow down on hostile ones. Bodies of attachments are never decoded.
"""

from __future__ import annotations

import email.message
import email.parser
import email.policy
import html
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from tournee.pipeline.core.mail.characters import decode_bytes, is_informative
from tournee.pipeline.core.mail.fields import decode_field
from tournee.pipeline.core.mail.header_block import find_header_block
from tournee.pipeline.core.mail.limits import ATTACHMENTS, DEPTH, PARTS
from tournee.pipeline.core.mail.plain_part import is_page, take_out_files, unflow
from tournee.pipeline.core.mail.transfer import read_payload

_META_CHARSET: Final = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?([A-Za-z0-9_:.-]{1,40})", re.I)
_BOUNDARY_LINES: Final = 20 * PARTS
"""More lines that begin with two dashes would keep the standard library's parser busy for many seconds."""
_TEXT_TYPES: Final = frozenset({"text/plain", "text/html", "text/enriched", "text/x-amp-html", "text/markdown"})


class TooManyParts(Exception):
    """The message has more parts, or nests them deeper, than is read."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of the body in reading order. `alternative` is the plain text of a page, should the page be empty."""

    is_html: bool
    content: str
    alternative: str = ""


@dataclass(slots=True)
class Structure:
    """What the parts of a message are."""

    segments: list[Segment] = field(default_factory=list)
    attachments: list[str] = field(default_factory=list)
    part_types: list[str] = field(default_factory=list)


def parse_message(raw: bytes, note: Callable[[str], None]) -> email.message.Message:
    """The tree of a message. Raises TooManyParts for one nested deeper than the parser can go."""
    if raw.count(b"\n--") > _BOUNDARY_LINES:
        raise TooManyParts(f"more than {_BOUNDARY_LINES} lines that could part it")
    block = find_header_block(raw)
    if block.mended is not None:
        note("header block mended")
    if not block.names:
        note("no header")
        raw = b"\n" + raw[block.start :]
    elif block.mended is not None:
        raw = block.mended + b"\n" + raw[block.end :].lstrip(b"\r\n")
    elif block.start:
        raw = raw[block.start :]
    try:
        return email.parser.BytesParser(policy=email.policy.compat32).parsebytes(raw)
    except RecursionError:
        raise TooManyParts("parts nested too deeply") from None


def read_structure(message: email.message.Message, note: Callable[[str], None]) -> Structure:
    """Sort the parts into body and attachments. Raises TooManyParts."""
    structure = Structure()
    walk = _Walk(structure, note)
    structure.segments = walk.collect(message, 0)
    is_blank = not any(segment.content.strip() for segment in structure.segments)
    if is_blank and walk.enclosed and structure.part_types[0] != "multipart/report":
        note("enclosed message read")
        structure.segments = [segment for child in tuple(walk.enclosed) for segment in walk.collect(child, 1)]
    return structure


class _Walk:
    """One pass over the tree, counting what it has seen."""

    def __init__(self, structure: Structure, note: Callable[[str], None]) -> None:
        self._structure = structure
        self._note = note
        self._parts_seen = 0
        self.enclosed: list[email.message.Message] = []
        """Messages attached to this one: its content, should it have none of its own."""

    def collect(self, part: email.message.Message, depth: int) -> list[Segment]:
        self._parts_seen += 1
        if self._parts_seen > PARTS or depth > DEPTH:
            raise TooManyParts(f"more than {PARTS} parts, or nested deeper than {DEPTH}")
        content_type = read_content_type(part)
        self._structure.part_types.append(content_type)
        if part.is_multipart():
            children: Any = part.get_payload()
            return self._collect_children(content_type, children, depth)
        if content_type in _TEXT_TYPES and not self._is_attached(part):
            return self._read_text(part, content_type)
        if content_type.startswith("multipart/") and depth == 0:
            self._note("multipart without parts, read as text")
            return self._read_text(part, "text/plain")
        self._attach(part, content_type)
        return []

    def _collect_children(self, content_type: str, children: list[email.message.Message], depth: int) -> list[Segment]:
        if content_type == "message/rfc822" and depth > 0:
            return self._collect_enclosed(children, depth)
        if content_type == "multipart/alternative":
            return self._choose(children, depth)
        if content_type == "multipart/digest":
            self._note("digest: enclosed messages read")
        return [segment for child in children for segment in self.collect(child, depth + 1)]

    def _collect_enclosed(self, children: list[email.message.Message], depth: int) -> list[Segment]:
        """Messages within a digest are its content; a message enclosed elsewhere is an attachment."""
        if "multipart/digest" in self._structure.part_types:
            return [segment for child in children for segment in self.collect(child, depth + 1)]
        self.enclosed += children[: ATTACHMENTS - len(self.enclosed)]
        for child in children:
            self._attach(child, "message/rfc822")
        return []

    def _choose(self, children: list[email.message.Message], depth: int) -> list[Segment]:
        """Of alternatives the page, with the plain text kept at hand; without a page the last that has text."""
        offers = [self.collect(child, depth + 1) for child in children]
        # A page of AMP is shown by few mail programs, and only as long as its sender keeps it alive.
        read = [offer for offer, child in zip(offers, children, strict=True) if not _is_amp(child)]
        offers = read if any(segment.content.strip() for offer in read for segment in offer) else offers
        plain = "\n".join(segment.content for offer in offers for segment in offer if not segment.is_html)
        for offer in reversed(offers):
            if any(segment.is_html and segment.content.strip() for segment in offer):
                return [Segment(True, segment.content, plain) if segment.is_html else segment for segment in offer]
        return next((offer for offer in reversed(offers) if any(s.content.strip() for s in offer)), [])

    def _read_text(self, part: email.message.Message, content_type: str) -> list[Segment]:
        data = read_payload(part, self._note)
        charset = _read_parameter(part, "charset")
        if content_type == "text/html" and not is_informative(charset):
            declared = _META_CHARSET.search(data[:4096])
            charset = declared[1].decode("ascii") if declared else None
        content = decode_bytes(data, charset, self._note)
        if is_page(content, content_type):
            return [Segment(True, content)]
        if content_type == "text/html":
            return [Segment(False, html.unescape(content))]
        return [Segment(False, self._read_lines(part, content))]

    def _read_lines(self, part: email.message.Message, content: str) -> str:
        """Plain text as it was written: files inside it taken out, flowed paragraphs on one line each."""
        content, names = take_out_files(content)
        for name in names:
            self._note("file inside text taken out")
            self._list(decode_field(name[:300], _ignore))
        if (_read_parameter(part, "format") or "").lower() == "flowed":
            return unflow(content, (_read_parameter(part, "delsp") or "").lower() == "yes")
        return content

    def _is_attached(self, part: email.message.Message) -> bool:
        disposition = str(part.get("content-disposition", ""))[:200].strip().lower()
        return disposition.startswith("attachment")

    def _attach(self, part: email.message.Message, content_type: str) -> None:
        try:
            name = part.get_filename() or ""
        except Exception:  # A parameter in a broken encoding; the attachment is listed by its type.
            name = ""
        self._list(decode_field(str(name)[:300], _ignore) or content_type)

    def _list(self, name: str) -> None:
        if len(self._structure.attachments) < ATTACHMENTS:
            self._structure.attachments.append(name)


def _is_amp(part: email.message.Message) -> bool:
    return read_content_type(part) == "text/x-amp-html"


def read_content_type(part: email.message.Message) -> str:
    """Lower case `main/sub`; text/plain for one that cannot be read."""
    try:
        return part.get_content_type()[:100]
    except Exception:
        return "text/plain"


def _read_parameter(part: email.message.Message, name: str) -> str | None:
    """A parameter of the content type; None where it is missing or can't be read."""
    try:
        value = part.get_param(name)
    except Exception:
        return None
    if isinstance(value, tuple):
        value = value[2]
    return str(value)[:60].strip() if value else None


def _ignore(_: str) -> None:
    """A file name needs no note."""
