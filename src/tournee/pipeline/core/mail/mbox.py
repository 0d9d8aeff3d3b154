"""The messages of an mbox file, one at a time.

An mbox is recognised by its first line; a file without one is a single message and comes back whole. Never holds
more than one message in memory: of a message above the limit only its beginning is handed out, so that the reader
says what is wrong with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO, Final

from tournee.pipeline.core.mail.limits import MESSAGE_BYTES

_SEPARATOR: Final = re.compile(
    rb"From [^\r\n]{0,300}\b\d{1,2}:\d\d(?::\d\d)?\b[^\r\n]{0,60}\b\d{4}\b[^\r\n]{0,40}\r?\n?\Z"
)
_FIELD: Final = re.compile(rb"[\x21-\x39\x3b-\x7e]{1,100}[ \t]{0,20}:|>?From ")
_QUOTED: Final = re.compile(rb">{1,100}From ")
_LINE_BYTES: Final = 1 << 20


def is_mbox(head: bytes) -> bool:
    """Whether a file that starts with `head` is framed as an mbox (one message or many)."""
    first_line, _, _ = head.lstrip(b"\xef\xbb\xbf\r\n").partition(b"\n")
    return first_line.startswith(b"From ")


def split_mbox(stream: BinaryIO, message_bytes: int = MESSAGE_BYTES) -> Iterator[bytes]:
    """The messages of `stream`, without the `From ` lines that frame them; a file that is no mbox whole.

    A line starts a new message only after a blank line, when it bears a time and a year and a header field follows it:
    a sentence that begins with "From " splits nothing. `>From ` is unquoted. Of a message above `message_bytes` the
    first `message_bytes + 1` are handed out.
    """
    first_line = _read_first_line(stream)
    if not first_line.startswith(b"From "):
        whole = first_line + stream.read(message_bytes + 1)
        if whole:
            yield whole[: message_bytes + 1]
        return
    collected = _Collected(message_bytes + 1)
    held: bytes | None = None
    after_blank = False
    while line := stream.readline(_LINE_BYTES):
        if held is not None:
            if _FIELD.match(line):
                yield collected.take()
            else:
                collected.add(held)
            held = None
        if after_blank and _SEPARATOR.match(line):
            held = line
        else:
            collected.add(line[1:] if _QUOTED.match(line) else line)
        after_blank = not line.strip()
    if held is not None:
        collected.add(held)
    yield collected.take()


def _read_first_line(stream: BinaryIO) -> bytes:
    """The first line with something on it; what stands before it is kept in front unless an mbox begins here."""
    before = b""
    while line := stream.readline(_LINE_BYTES):
        bare = line.removeprefix(b"\xef\xbb\xbf") if not before else line
        if bare.strip():
            return bare if bare.startswith(b"From ") else before + line
        before += line
        if len(before) > _LINE_BYTES:
            break
    return before


class _Collected:
    """One message as it grows, up to a limit."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._lines: list[bytes] = []
        self._size_bytes = 0

    def add(self, line: bytes) -> None:
        room = self._limit_bytes - self._size_bytes
        if room > 0:
            self._lines.append(line[:room])
            self._size_bytes += min(room, len(line))

    def take(self) -> bytes:
        """What was collected, less the blank line that the format puts behind each message."""
        lines = self._lines
        if len(lines) > 1 and not lines[-1].strip():
            lines = lines[:-1]
        message = b"".join(lines)
        self._lines, self._size_bytes = [], 0
        return message
