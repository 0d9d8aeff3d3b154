"""Where a message's header block lies, and whether bytes are a mail at all.

Owns the rule of what counts as mail: recognised by content, never by a file's name. A block that real software
spoilt (blank lines before it, an SMTP dialogue, a line that is no field) is found and mended; prose and the front
matter of a web page, though it looks like fields, are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tournee.pipeline.core.mail.limits import HEAD_BYTES, HEADER_BLOCK_BYTES

_FIELD: Final = re.compile(rb"([\x21-\x39\x3b-\x7e]{1,100})[ \t]{0,20}:")
_PLAUSIBLE_NAME: Final = re.compile(rb"[A-Z][A-Za-z0-9-]{1,60}")
_ENVELOPE: Final = re.compile(
    rb"(?:>?From [^\r\n]{1,500}|(?:HELO|EHLO|MAIL FROM|RCPT TO|DATA)\b[^\r\n]{0,500})\Z", re.I
)
_KNOWN: Final = frozenset(
    b"from to subject received message-id return-path mime-version content-type content-transfer-encoding "
    b"delivered-to reply-to cc bcc sender in-reply-to references envelope-to apparently-to dkim-signature "
    b"received-spf authentication-results newsgroups organization importance priority precedence auto-submitted "
    b"errors-to user-agent mailing-list feedback-id autocrypt status x-mailer".split()
)
_KNOWN_PREFIXES: Final = (b"x-", b"list-", b"resent-", b"arc-", b"content-", b"original-", b"thread-")
# What stands above an article in the source of a web page, in the same shape as mail fields.
_FRONT_MATTER: Final = frozenset(
    b"title date number category categories tags tag author authors slug summary status lang language layout "
    b"modified description draft template permalink image keywords series subtitle".split()
)
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_LOOK_AHEAD_LINES: Final = 4


@dataclass(frozen=True, slots=True)
class HeaderBlock:
    """Where the block starts and ends in the bytes, and its lines by kind."""

    start: int
    end: int
    names: tuple[bytes, ...]
    odd_lines: int
    mended: bytes | None
    """The block anew, when a line in its midst had to be folded into its neighbour."""


def is_mail(data: bytes) -> bool:
    """Whether these bytes are a mail: a header block at the very start, with at least one field in its first 64 KiB.

    An mbox `From ` line, a byte order mark, blank lines and an SMTP dialogue before it are tolerated. Fields that no
    mail software knows count only when the whole block is made of them and is not a web page's front matter.
    """
    block = find_header_block(data[:HEAD_BYTES])
    if any(_is_known(name) for name in block.names):
        return block.odd_lines <= len(block.names)
    if block.odd_lines or not all(_PLAUSIBLE_NAME.fullmatch(name) for name in block.names):
        return False
    names = {name.lower() for name in block.names}
    if not names - _FRONT_MATTER and names != {b"date"}:
        return False
    return len(names) > 1 or any(b"-" in name or name == b"date" for name in names)


def find_header_block(data: bytes) -> HeaderBlock:
    """Find the header block at the start of `data`. No names: there is none, and the body starts at `start`."""
    start = 3 if data.startswith(_BYTE_ORDER_MARK) else 0
    lines = list(_split_block(data, start))
    skipped = _count_lines_before(lines)
    if skipped:
        offset, line = lines[skipped - 1]
        start = offset + len(line)
    names: list[bytes] = []
    kept: list[bytes] = []
    odd_lines = 0
    for index in range(skipped, len(lines)):
        line = lines[index][1]
        matched = _FIELD.match(line)
        if matched is not None:
            names.append(matched[1].lower() if _is_known(matched[1]) else matched[1])
            kept.append(matched[1] + line[matched.end() - 1 :])
        elif names and line[:1] in b" \t" and (line.strip() or _goes_on(lines, index + 1)):
            kept.append(line)
        elif names and line.strip() and _has_known_field(lines[index + 1 : index + 1 + _LOOK_AHEAD_LINES]):
            # A line that is no field, in the midst of fields: most software drops what follows. It is folded instead.
            kept.append(b" " + line)
            odd_lines += 1
        else:
            break
    end = lines[skipped + len(kept) - 1][0] + len(lines[skipped + len(kept) - 1][1]) if kept else start
    block = b"".join(kept)
    return HeaderBlock(start, end, tuple(names), odd_lines, block if block != data[start:end] else None)


def _count_lines_before(lines: list[tuple[int, bytes]]) -> int:
    """How many lines stand before the block: blank ones, an mbox `From ` line, an SMTP dialogue."""
    for count, (_, line) in enumerate(lines):
        if line.strip() and (_FIELD.match(line) is not None or not _ENVELOPE.match(line.rstrip(b"\r\n"))):
            return count
    return len(lines)


def _split_block(data: bytes, start: int) -> Iterator[tuple[int, bytes]]:
    """Lines with their offsets, as long as they can belong to a header block."""
    position, has_begun = start, False
    end = min(len(data), start + HEADER_BLOCK_BYTES)
    while position < end and (has_begun or position - start < HEAD_BYTES):
        found = data.find(b"\n", position, end)
        next_position = end if found < 0 else found + 1
        line = data[position:next_position]
        yield position, line
        has_begun = has_begun or _FIELD.match(line) is not None
        if has_begun and not line.strip(b"\r\n"):
            return
        position = next_position


def _goes_on(lines: list[tuple[int, bytes]], index: int) -> bool:
    """A line of blanks only ends the block for most software, unless a field follows it."""
    return index < len(lines) and _FIELD.match(lines[index][1]) is not None


def _has_known_field(lines: list[tuple[int, bytes]]) -> bool:
    for _, line in lines:
        if not line.strip():
            return False
        matched = _FIELD.match(line)
        if matched is not None and _is_known(matched[1]):
            return True
    return False


def _is_known(name: bytes) -> bool:
    lowered = name.lower()
    return lowered in _KNOWN or lowered.startswith(_KNOWN_PREFIXES)
