"""Which characters text may hold: bytes are decoded whatever their charset claims, and nothing unprintable stays.

Keeps the invariant that all text of a `ReadMail` is free of NUL, of control characters and of lone surrogates.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from typing import Final

from tournee.pipeline.core.mail import charset as charsets

# Names met in mail that the codec registry does not know, and names that everybody uses for a larger set.
_ALIASES: Final = {
    "x-mac-cyrillic": "mac_cyrillic",
    "x-mac-roman": "mac_roman",
    "macintosh": "mac_roman",
    "chinesebig5": "big5hkscs",
    "big5": "big5hkscs",
    "x-big5": "big5hkscs",
    "gb2312": "gb18030",
    "gb_2312-80": "gb18030",
    "x-gbk": "gb18030",
    "gbk": "gb18030",
    "ks_c_5601-1987": "cp949",
    "euc-kr": "cp949",
    "ks_c_5601": "cp949",
    "shift_jis": "cp932",
    "x-sjis": "cp932",
    "iso-8859-1": "cp1252",
    "iso8859-1": "cp1252",
    "latin1": "cp1252",
    "iso-8859-9": "cp1254",
    "iso-8859-8-i": "iso-8859-8",
    "iso-8859-8-e": "iso-8859-8",
    "unicode-1-1-utf-7": "utf-7",
    "utf8mb4": "utf-8",
    "x-unicode": "utf-8",
    "cp-850": "cp850",
    "x-user-defined": "cp1252",
}
_UNINFORMATIVE: Final = frozenset({"", "us-ascii", "ascii", "ansi_x3.4-1968", "unknown-8bit", "x-unknown", "8bit"})
# Text codecs of the registry that no mail means, or that take quadratic time.
_REFUSED: Final = frozenset({"idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined", "mbcs", "oem"})
_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
# Zero-width, joining, directional and filling characters: nothing of them is seen. U+200D stays between emoji.
_INVISIBLE: Final = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200c\u200e\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
_JOINER_ALONE: Final = re.compile(
    "(?<![\u2190-\u2bff\U0001f000-\U0001faff])\u200d|\u200d(?![\u2190-\u2bff\U0001f000-\U0001faff])"
)
_REPLACED_SHARE: Final = 0.3
_LATIN: Final = frozenset({"cp1252", "cp1254", "iso8859-15", "cp1250", "iso8859-2"})
_ASCII_LIKE: Final = _LATIN | {None, "utf-8"}


def find_codec(charset: str) -> str | None:
    """The registry's name of a text codec for `charset`, or None when there is none that may be used."""
    wanted = charset.strip().strip("\"'").lower()
    try:
        info = codecs.lookup(_ALIASES.get(wanted, wanted))
    except (LookupError, ValueError, UnicodeError):
        return None
    # The registry also holds codecs from bytes to bytes (zlib, bz2): a charset named so is an attack.
    is_text: bool = getattr(info, "_is_text_encoding", True)
    return None if not is_text or info.name in _REFUSED else info.name


def is_informative(charset: str | None) -> bool:
    """Whether a declared charset says more than that nobody knew it."""
    return (charset or "").strip().strip("\"'").lower() not in _UNINFORMATIVE


def decode_bytes(data: bytes, charset: str | None, note: Callable[[str], None]) -> str:
    """Decode whatever `charset` says, notes what had to be guessed. Never raises, loses no decodable byte."""
    declared = (charset or "").strip().lower()
    codec = find_codec(declared) if is_informative(declared) else None
    if codec is None and is_informative(declared):
        note(f"unknown charset {declared[:40]}")
    codec = _mend_codec(data, codec, declared, note)
    for candidate in (codec, "utf-8"):
        if candidate is None:
            continue
        try:
            text = data.decode(candidate)
        except (UnicodeError, ValueError, LookupError):
            continue
        if candidate != codec and codec is not None:
            note(f"charset {declared[:40]} does not fit, read as utf-8")
        return clean_text(text)
    return clean_text(_decode_damaged(data, codec, note))


def _mend_codec(data: bytes, codec: str | None, declared: str, note: Callable[[str], None]) -> str | None:
    """The codec to try first: that of a byte order mark or of escape sequences, and not a Latin one that fits all
    bytes, and so proves nothing, where the bytes are UTF-8 or another script's.
    """
    if marked := charsets.find_mark(data):
        return marked
    if codec in _ASCII_LIKE and (escaped := charsets.find_escapes(data)):
        return escaped
    if codec not in _LATIN or data.isascii():
        return codec
    likelier = "utf-8" if charsets.is_surely_utf8(data) else None
    if likelier is None and charsets.is_surely_foreign(data):
        likelier = charsets.guess_codec(data)
    if likelier is None or likelier == charsets.WESTERN:
        return codec
    note(f"charset {declared[:40]} does not fit, read as {likelier}")
    return likelier


def _decode_damaged(data: bytes, codec: str | None, note: Callable[[str], None]) -> str:
    beyond_ascii = len(data) - len(data.translate(None, bytes(range(128, 256))))
    for candidate in dict.fromkeys((codec or "utf-8", "utf-8")):
        try:
            text = data.decode(candidate, "replace")
        except (UnicodeError, ValueError, LookupError):
            continue
        if text.count("\ufffd") <= _REPLACED_SHARE * beyond_ascii:
            note(f"bytes that are no {candidate} replaced")
            return text
    guessed = charsets.guess_codec(data)
    note(f"charset guessed: {'windows-1252' if guessed == charsets.WESTERN else guessed}")
    return data.decode(guessed, "replace")


def clean_text(text: str) -> str:
    """Without NUL, control characters and lone surrogates; line ends are line feeds."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROL.sub("", text)


def strip_invisible(text: str) -> str:
    """Without the characters that take no place on the screen (soft hyphens, zero-width spaces, joiners)."""
    if text.isascii():
        return text
    return _JOINER_ALONE.sub("", _INVISIBLE.sub("", text))
