"""The parts of a message: which of them are its body, which are attached.

The tree is built by the standard library under its `compat32` policy: it reads structure fields by simple rules
that neither raise nor slow down on hostile ones. Bodies of attachments are never decoded.
"""

from __future__ import annotations

import base64
import binascii
import email.message
import email.parser
import email.policy
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from tournee.pipeline.core.mail.characters import decode_bytes
from tournee.pipeline.core.mail.fields import decode_field
from tournee.pipeline.core.mail.header_block import find_header_block
from tournee.pipeline.core.mail.limits import ATTACHMENTS, BODY_BYTES, DEPTH, PARTS

_NOT_BASE64: Final = re.compile(rb"[^A-Za-z0-9+/]+")
_META_CHARSET: Final = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?([A-Za-z0-9_:.-]{1,40})", re.I)
_HTML_START: Final = re.compile(r"(?:<!doctype html|<html|<head|<body|<table|<div)", re.I)
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
    structure.segments = _Walk(structure, note).collect(message, 0)
    return structure


class _Walk:
    """One pass over the tree, counting what it has seen."""

    def __init__(self, structure: Structure, note: Callable[[str], None]) -> None:
        self._structure = structure
        self._note = note
        self._parts_seen = 0

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
        for child in children:
            self._attach(child, "message/rfc822")
        return []

    def _choose(self, children: list[email.message.Message], depth: int) -> list[Segment]:
        """Of alternatives the page, with the plain text kept at hand; without a page the last that has text."""
        offers = [self.collect(child, depth + 1) for child in children]
        plain = "\n".join(segment.content for offer in offers for segment in offer if not segment.is_html)
        for offer in reversed(offers):
            if any(segment.is_html and segment.content.strip() for segment in offer):
                return [Segment(True, segment.content, plain) if segment.is_html else segment for segment in offer]
        return next((offer for offer in reversed(offers) if any(s.content.strip() for s in offer)), [])

    def _read_text(self, part: email.message.Message, content_type: str) -> list[Segment]:
        data = read_payload(part, self._note)
        charset = _read_charset(part)
        if content_type == "text/html" and charset is None:
            declared = _META_CHARSET.search(data[:4096])
            charset = declared[1].decode("ascii") if declared else None
        content = decode_bytes(data, charset, self._note)
        is_html = content_type == "text/html" or (
            _HTML_START.match(content[:2000].lstrip()) is not None and "</" in content
        )
        return [Segment(is_html, content)]

    def _is_attached(self, part: email.message.Message) -> bool:
        disposition = str(part.get("content-disposition", ""))[:200].strip().lower()
        return disposition.startswith("attachment")

    def _attach(self, part: email.message.Message, content_type: str) -> None:
        if len(self._structure.attachments) >= ATTACHMENTS:
            return
        try:
            name = part.get_filename() or ""
        except Exception:  # A parameter in a broken encoding; the attachment is listed by its type.
            name = ""
        self._structure.attachments.append(decode_field(str(name)[:300], _ignore) or content_type)


def read_content_type(part: email.message.Message) -> str:
    """Lower case `main/sub`; text/plain for one that cannot be read."""
    try:
        return part.get_content_type()[:100]
    except Exception:
        return "text/plain"


def read_payload(part: email.message.Message, note: Callable[[str], None]) -> bytes:
    """The bytes of a text part, its transfer encoding undone as far as it is intact. Cut at 4 MiB."""
    encoding = str(part.get("content-transfer-encoding", ""))[:100].strip().lower()
    # Without its encoding the part answers the bytes as they came: its own decoding gives up on damaged ones.
    del part["content-transfer-encoding"]
    data = part.get_payload(decode=True)
    if not isinstance(data, bytes):
        return b""
    if len(data) > 4 * BODY_BYTES:
        data = data[: 4 * BODY_BYTES]
    if encoding.startswith("base64"):
        data = _decode_base64(data, note)
    elif encoding.startswith("quoted"):
        data = binascii.a2b_qp(data)
    elif encoding in ("x-uuencode", "uuencode", "uue", "x-uue"):
        note("uuencoded text left as it is")
    elif encoding not in ("", "7bit", "8bit", "binary"):
        note(f"odd transfer encoding {decode_field(encoding[:40], _ignore)}")
    if len(data) > BODY_BYTES:
        note("body cut at 4 MiB")
        data = data[:BODY_BYTES]
    return data


def _decode_base64(data: bytes, note: Callable[[str], None]) -> bytes:
    try:
        return base64.b64decode(data)
    except (binascii.Error, ValueError):
        pass
    note("damaged base64")
    letters = _NOT_BASE64.sub(b"", data)
    letters = letters[: len(letters) - 1] if len(letters) % 4 == 1 else letters
    return base64.b64decode(letters + b"=" * (-len(letters) % 4))


def _read_charset(part: email.message.Message) -> str | None:
    try:
        charset = part.get_param("charset")
    except Exception:
        return None
    if isinstance(charset, tuple):
        charset = charset[2]
    return str(charset)[:60] if charset else None


def _ignore(_: str) -> None:
    """A file name needs no note."""
