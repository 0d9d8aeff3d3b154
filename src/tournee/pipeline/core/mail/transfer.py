"""Transfer encodings undone: the bytes of a text part, as far as they are intact.

Keeps what damage leaves: a broken sequence stays as it stands, and never takes the rest along. It refuses to trust a
missing field: a body that is quoted-printable from end to end is read so, whatever its header forgot to say.
"""

from __future__ import annotations

import base64
import binascii
import email.message
import re
from collections.abc import Callable
from typing import Final

from tournee.pipeline.core.mail.characters import clean_text
from tournee.pipeline.core.mail.limits import BODY_BYTES

_NOT_BASE64: Final = re.compile(rb"[^A-Za-z0-9+/]+")
_SPOILT_SOFT_BREAK: Final = re.compile(rb"=[ \t]{1,80}(?=\r?\n)")
_SOFT_BREAK: Final = re.compile(rb"=\r?\n")
_QUOTED: Final = re.compile(rb"=(?:[0-9A-F]{2}|\r?\n)")
_LEAST_SOFT_BREAKS: Final = 3
_UNENCODED: Final = ("", "7bit", "8bit", "binary")
_UUENCODED: Final = ("x-uuencode", "uuencode", "uue", "x-uue")


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
    data = _undo(data, encoding, note)
    if len(data) > BODY_BYTES:
        note("body cut at 4 MiB")
        data = data[:BODY_BYTES]
    return data


def _undo(data: bytes, encoding: str, note: Callable[[str], None]) -> bytes:
    if encoding.startswith("base64"):
        return _decode_base64(data, note)
    if encoding.startswith("quoted"):
        return _decode_quoted(data)
    if encoding in _UUENCODED:
        return decode_uuencoded(data)
    if encoding not in _UNENCODED:
        note(f"odd transfer encoding {clean_text(encoding[:40])}")
    if _is_quoted(data):
        note("quoted-printable without saying so")
        return _decode_quoted(data)
    return data


def _is_quoted(data: bytes) -> bool:
    """Each equals sign of a longer text belongs to a quoted byte or a soft break, and both occur."""
    soft_breaks = len(_SOFT_BREAK.findall(data))
    if soft_breaks < _LEAST_SOFT_BREAKS or not data.isascii():
        return False
    quoted = len(_QUOTED.findall(data))
    return quoted > soft_breaks and quoted == data.count(b"=")


def _decode_quoted(data: bytes) -> bytes:
    """Blanks that some server added behind a soft break do not belong there."""
    return binascii.a2b_qp(_SPOILT_SOFT_BREAK.sub(b"=", data))


def _decode_base64(data: bytes, note: Callable[[str], None]) -> bytes:
    try:
        return base64.b64decode(data)
    except (binascii.Error, ValueError):
        pass
    note("damaged base64")
    letters = _NOT_BASE64.sub(b"", data)
    letters = letters[: len(letters) - 1] if len(letters) % 4 == 1 else letters
    return base64.b64decode(letters + b"=" * (-len(letters) % 4))


def decode_uuencoded(data: bytes) -> bytes:
    """What stands between `begin` and `end`; the bytes as they are when nothing does. Damaged lines are left out."""
    pieces: list[bytes] = []
    has_begun = False
    for line in data.splitlines():
        if not has_begun:
            has_begun = line.startswith(b"begin ")
        elif line.strip() == b"end":
            break
        else:
            try:
                pieces.append(binascii.a2b_uu(line))
            except binascii.Error:
                continue
    return b"".join(pieces) if has_begun else data
