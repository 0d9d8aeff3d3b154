"""Which codec bytes are in when nothing says so, or when what is said can't be right.

Asked only where neither a byte order mark nor valid UTF-8 nor a charset that fits decides. Owns the rule of when a
statistical guess may be trusted: scripts other than Latin are told by runs of bytes beyond ASCII, which Latin text has
next to none of; without such runs only the Latin charsets are weighed, and windows-1252 has the benefit of the doubt.
It refuses to look at more than the first 64 KiB from where those bytes begin.
"""

from __future__ import annotations

import re
from typing import Final

WESTERN: Final = "cp1252"
_SAMPLE_BYTES: Final = 64 * 1024
_BEYOND_ASCII: Final = re.compile(rb"[\x80-\xff]")
_RUN: Final = re.compile(rb"[\x80-\xff]{3,}")
_FOREIGN_SHARE: Final = 0.45
"""Of the bytes beyond ASCII those that stand in runs of three: some 0.9 in Cyrillic, 0.6 and more in Shift_JIS, below
0.1 in the languages of Europe that are written in Latin letters."""

_LEAST_SURE_BYTES: Final = 40
_LEAST_UTF8_BYTES: Final = 4
_LEAST_LATIN_BYTES: Final = 10
_LEAST_LATIN_SHARE: Final = 0.03
_FOREIGN: Final = (
    "gb18030 big5hkscs cp949 cp932 euc_jis_2004 cp1251 koi8-r koi8-u cp866 iso8859-5 cp1253 iso8859-7 cp1255 cp1256 "
    "iso8859-6 cp874"
).split()
_LATIN: Final = "cp1250 iso8859-2 cp1254".split()
_MARKS: Final = (
    (b"\xff\xfe\x00\x00", "utf-32"), (b"\x00\x00\xfe\xff", "utf-32"), (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"),
)  # fmt: skip
_ESCAPES: Final = ((b"\x1b$)C", "iso2022_kr"), (b"\x1b$B", "iso2022_jp_ext"), (b"\x1b$@", "iso2022_jp_ext"))


def find_mark(data: bytes) -> str | None:
    """The codec that a byte order mark names."""
    return next((codec for mark, codec in _MARKS if data.startswith(mark)), None)


def find_escapes(data: bytes) -> str | None:
    """The codec of text that is ASCII but for its escape sequences (ISO-2022-JP and -KR); None for plain ASCII."""
    return next((codec for escape, codec in _ESCAPES if escape in data), None) if b"\x1b" in data else None


def is_utf8(data: bytes) -> bool:
    """Whether bytes are valid UTF-8."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def is_surely_utf8(data: bytes) -> bool:
    """Whether bytes that claim to be Latin are UTF-8: valid, with more than one character beyond ASCII."""
    return len(_BEYOND_ASCII.findall(data, 0, _SAMPLE_BYTES)) >= _LEAST_UTF8_BYTES and is_utf8(data)


def is_surely_foreign(data: bytes) -> bool:
    """Whether bytes that claim to be Latin are another script's."""
    sample = _cut_sample(data)
    return len(_BEYOND_ASCII.findall(sample)) >= _LEAST_SURE_BYTES and _measure_foreign(sample) >= 0.6


def guess_codec(data: bytes) -> str:
    """The likeliest codec of bytes that are not UTF-8; windows-1252 where nothing speaks for another. Some
    milliseconds; the first call loads the model, half a second.
    """
    sample = _cut_sample(data)
    beyond = len(_BEYOND_ASCII.findall(sample))
    if beyond >= 4 and _measure_foreign(sample) >= _FOREIGN_SHARE:
        return _ask(sample, _FOREIGN)
    if beyond >= _LEAST_LATIN_BYTES and beyond >= _LEAST_LATIN_SHARE * len(sample):
        return _ask(sample, _LATIN)
    return WESTERN


def _cut_sample(data: bytes) -> bytes:
    first = _BEYOND_ASCII.search(data)
    start = first.start() if first else 0
    return data[start : start + _SAMPLE_BYTES]


def _measure_foreign(sample: bytes) -> float:
    """The share of bytes beyond ASCII that stand in runs; a run of one byte repeated is a ruler and counts for none."""
    beyond = len(_BEYOND_ASCII.findall(sample))
    in_runs = sum(len(run) for run in _RUN.findall(sample) if len(set(run)) > 1)
    return in_runs / max(1, beyond)


def _ask(sample: bytes, codecs: list[str]) -> str:
    import chardet  # noqa: PLC0415 - it loads a model: only where asked

    found = chardet.detect(sample, include_encodings=[*codecs, WESTERN], compat_names=False, max_bytes=_SAMPLE_BYTES)
    return str(found["encoding"] or WESTERN)
