"""Header fields as text: names, addresses, dates, subjects, whatever state they are in.

Each field is read by the standard library's default policy first; what it cannot read (and it raises
AttributeError, IndexError, RecursionError and more on real mail) is read by a forgiving rule of ours. One bad field
spoils no other.
"""

from __future__ import annotations

import binascii
import email.header
import email.policy
import email.utils
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from tournee.pipeline.core.mail.characters import (
    clean_text,
    decode_bytes,
    find_codec,
    is_informative,
    strip_invisible,
)
from tournee.pipeline.core.mail.charset import guess_codec, is_utf8
from tournee.pipeline.core.mail.limits import FIELD_CHARACTERS, HEADER_FIELDS, STRUCTURED_FIELD_CHARACTERS

_FOLD: Final = re.compile(r"[\r\n]+[ \t]*")
_BLANKS: Final = re.compile(r"\s+")
_ENCODED_WORD: Final = re.compile(r"=\?([^?\s]{1,60})\?([bBqQ])\?([^?]{0,8000})\?=")
_CHARSET: Final = re.compile(r"charset\s{0,9}=\s{0,9}\"?'?([A-Za-z0-9_:.+-]{1,60})", re.I)
_BETWEEN_WORDS: Final = re.compile(r"\?=[ \t]+=\?")
_ADDRESS: Final = re.compile(r"[^\s<>\"'(),:;@\[\]]{1,200}@[^\s<>\"'(),:;@]{1,250}")
_COMMENT: Final = re.compile(r"\(([^()]{1,200})\)")
_MESSAGE_ID: Final = re.compile(r"<[^<>\s]{1,900}>|[^\s<>]{1,900}")
_ISO_DATE: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d))?)?")
_EARLIEST_YEAR: Final = 1970
_LATEST_YEAR: Final = 2200
_POLICY: Final = email.policy.default


@dataclass(frozen=True, slots=True)
class Fields:
    """The header fields of one message: by lower-case name, in order, unfolded and decoded."""

    by_name: Mapping[str, tuple[str, ...]]
    total: int

    def first(self, name: str) -> str:
        values = self.by_name.get(name, ())
        return values[0] if values else ""

    def has(self, name: str) -> bool:
        return name in self.by_name


def read_fields(items: Iterable[tuple[str, Any]], note: Callable[[str], None]) -> Fields:
    """Decode the raw fields of a message. At most a thousand are kept, each cut at 16 Ki characters."""
    by_name: defaultdict[str, list[str]] = defaultdict(list)
    items = list(items)
    charset = _find_header_charset(items)
    total, cut = 0, 0
    for name, value in items:
        total += 1
        if total > HEADER_FIELDS:
            continue
        raw = str(value)
        cut += len(raw) > FIELD_CHARACTERS
        by_name[clean_text(str(name)).lower()].append(decode_field(raw[:FIELD_CHARACTERS], note, charset))
    if cut or total > HEADER_FIELDS:
        note(f"headers cut: {total} fields, {cut} too long")
    return Fields({name: tuple(values) for name, values in by_name.items()}, total)


def _find_header_charset(items: Iterable[tuple[str, Any]]) -> str | None:
    """The codec of 8-bit fields: the body's where all of them fit it, else what they look like together, because one
    name or subject alone is too short to tell.
    """
    fields = [(str(name).lower(), str(value)[:FIELD_CHARACTERS]) for name, value in items]
    eight_bit = b"\n".join(_to_bytes(value) for _, value in fields[:HEADER_FIELDS] if not value.isascii())
    if not eight_bit:
        return None
    declared = next(
        (found[1] for name, value in fields if name == "content-type" and (found := _CHARSET.search(value))), ""
    )
    codec = find_codec(declared) if is_informative(declared) else None
    try:
        eight_bit.decode(codec or "utf-8")
    except (UnicodeError, ValueError, LookupError):
        return guess_codec(eight_bit)
    return codec


def _to_bytes(raw: str) -> bytes:
    return raw.encode("utf-8", "surrogateescape")


def decode_field(raw: str, note: Callable[[str], None], charset: str | None = None) -> str:
    """One field as a single line: unfolded, encoded words decoded, 8-bit bytes in UTF-8 if valid, else `charset`."""
    text = raw
    if not text.isascii():
        data = _to_bytes(text)
        text = decode_bytes(data, None if is_utf8(data) else charset, _ignore)
        note("8-bit bytes in header")
    text = _FOLD.sub(" ", text).replace("\r", " ").replace("\n", " ")
    if "=?" in text:
        text = _ENCODED_WORD.sub(_decode_word, _BETWEEN_WORDS.sub("?==?", text))
    return strip_invisible(_BLANKS.sub(" ", clean_text(text))).strip()


def _decode_word(matched: re.Match[str]) -> str:
    charset, encoding, payload = matched.groups()
    codec = find_codec(charset.partition("*")[0])
    try:
        if encoding in "bB":
            data = binascii.a2b_base64(payload.encode("ascii", "ignore") + b"==")
        else:
            data = binascii.a2b_qp(payload.encode("utf-8", "surrogatepass"), header=True)
    except (binascii.Error, ValueError):
        return matched[0]
    return decode_bytes(data, codec, _ignore)


def read_sender(fields: Fields) -> tuple[str, str]:
    """Name and address of the sender: `From`, or else `Sender`, `Reply-To`, `Return-Path`. Empty when there is none."""
    for field_name in ("from", "sender", "reply-to", "return-path"):
        name, address = read_address(fields.first(field_name))
        if address or name:
            return name[:300], address[:320]
    return "", ""


def read_address(text: str) -> tuple[str, str]:
    """The first address of a decoded field: (name, address), each empty if absent."""
    text = text[:STRUCTURED_FIELD_CHARACTERS].strip()
    if not text:
        return "", ""
    try:
        parsed: Any = _POLICY.header_factory("From", text)
        first = parsed.addresses[0]
        name, address = str(first.display_name), str(first.addr_spec)
    except Exception:  # The parser's faults on real mail have no common class.
        name, address = "", ""
    if "@" not in address or address.startswith("@") or " " in address:
        name, address = _read_address_forgiving(text)
    elif not name:
        comment = _COMMENT.search(text)
        name = comment[1] if comment else ""
    return clean_text(name).strip(" \"'"), clean_text(address).strip("<> ").lower()


def _read_address_forgiving(text: str) -> tuple[str, str]:
    in_brackets = re.findall(r"<([^<>]{0,500})>", text)
    for candidate in (*in_brackets, text):
        found = _ADDRESS.search(candidate)
        if found:
            before = text.partition("<")[0] if "<" in text else text.replace(found[0], "")
            return before.strip(" \t\"'()"), found[0]
    return text.partition("<")[0].strip(" \t\"'"), ""


def read_addresses(text: str) -> list[str]:
    """Every address that occurs in a field, in order, lower case."""
    return [found.lower() for found in _ADDRESS.findall(text)]


def read_message_id(fields: Fields) -> str | None:
    """The Message-ID without its brackets; None when there is none."""
    found = _MESSAGE_ID.search(fields.first("message-id"))
    return found[0].strip("<>") or None if found else None


def read_date(fields: Fields, note: Callable[[str], None]) -> datetime | None:
    """When the message says it was sent, else when the last server says it came. In UTC."""
    text = fields.first("date")
    found = _parse_date(text)
    if found is None and text:
        note("date unreadable")
    elif found is None:
        note("date missing")
    if found is not None:
        return found
    for field_name in ("delivery-date", "resent-date", "x-original-date"):
        found = found or _parse_date(fields.first(field_name))
    for received in fields.by_name.get("received", ())[:3]:
        found = found or _parse_date(received.rpartition(";")[2].strip())
    if found is not None:
        note("date taken from the delivery")
    return found


def _parse_date(text: str) -> datetime | None:
    if not text:
        return None
    try:
        found: datetime | None = email.utils.parsedate_to_datetime(text[:200])
    except Exception:  # ValueError, TypeError, OverflowError, IndexError: all mean that it is no date.
        found = _parse_iso_date(text)
    try:
        if found is None:
            return None
        found = (found.replace(tzinfo=UTC) if found.tzinfo is None else found).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return found if _EARLIEST_YEAR <= found.year <= _LATEST_YEAR else None


def _parse_iso_date(text: str) -> datetime | None:
    found = _ISO_DATE.search(text[:200])
    if found is None:
        return None
    try:
        return datetime(*(int(part or 0) for part in found.groups()), tzinfo=UTC)  # type: ignore[misc, arg-type]
    except ValueError:
        return None


def _ignore(_: str) -> None:
    """For decoding whose guesses are not worth a note."""
