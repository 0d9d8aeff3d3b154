"""Bytes of a mail, written by hand.

The standard library would write only what is right; this sample also needs what is wrong. Lines end in CRLF.
Boundaries depend on the content, so that the same content gives the same bytes.
"""

from __future__ import annotations

import base64
import hashlib
import quopri
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.header import Header
from email.utils import format_datetime

Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Part:
    """One MIME part: its own headers and its encoded body."""

    headers: Headers
    body: bytes


def text_part(text: str, subtype: str, charset: str, encoding: str, parameters: str = "") -> Part:
    """Text in `charset` under `encoding` (`7bit`, `8bit`, `quoted-printable`, `base64`)."""
    raw = text.encode(charset)
    headers = (
        ("Content-Type", f"text/{subtype}; charset={charset}{parameters}"),
        ("Content-Transfer-Encoding", encoding),
    )
    return Part(headers, encode_body(raw, encoding))


def file_part(content: bytes, content_type: str, name: str, disposition: str = "attachment") -> Part:
    """A file in base64."""
    headers = (
        ("Content-Type", f'{content_type}; name="{name}"'),
        ("Content-Disposition", f'{disposition}; filename="{name}"'),
        ("Content-Transfer-Encoding", "base64"),
    )
    return Part(headers, encode_body(content, "base64"))


def multipart(subtype: str, parts: Sequence[Part], parameters: str = "", closed: bool = True) -> Part:
    """Parts under one boundary; `closed=False` leaves out the boundary's end, as senders that crash do."""
    digest = hashlib.sha256(subtype.encode() + b"".join(part.body for part in parts)).hexdigest()
    boundary = f"=_part_{digest[:28]}"
    chunks = [b"--" + boundary.encode() + b"\r\n" + serialize_part(part) + b"\r\n" for part in parts]
    end = b"--" + boundary.encode() + b"--\r\n" if closed else b""
    headers = (("Content-Type", f'multipart/{subtype};{parameters} boundary="{boundary}"'),)
    return Part(headers, b"".join(chunks) + end)


def serialize_part(part: Part) -> bytes:
    """A part as it stands between two boundaries."""
    return _join_headers(part.headers) + b"\r\n" + part.body


def serialize_mail(headers: Headers, body: Part) -> bytes:
    """A whole mail. Header values are written as they are given, bytes passed through as lone surrogates."""
    return _join_headers([*headers, ("MIME-Version", "1.0"), *body.headers]) + b"\r\n" + body.body


def encode_header(value: str, charset: str) -> str:
    """RFC 2047 where the value needs it."""
    return value if value.isascii() else Header(value, charset, maxlinelen=70).encode(linesep="\r\n")


def encode_address(name: str, address: str, charset: str) -> str:
    """A name, quoted or RFC 2047, and its address."""
    shown = f'"{name}"' if name.isascii() else encode_header(name, charset)
    return f"{shown} <{address}>"


def encode_date(date: datetime) -> str:
    """RFC 5322."""
    return format_datetime(date)


def encode_body(raw: bytes, encoding: str) -> bytes:
    """Bytes under a transfer encoding, lines ended by CRLF; `7bit` and `8bit` change nothing else."""
    unix = raw.replace(b"\r\n", b"\n")
    match encoding:
        case "base64":
            return base64.encodebytes(raw).replace(b"\n", b"\r\n")
        case "quoted-printable":
            return quopri.encodestring(unix).replace(b"\n", b"\r\n")
        case _:
            return unix.replace(b"\n", b"\r\n")


def _join_headers(headers: Headers) -> bytes:
    return b"".join(f"{name}: {value}\r\n".encode("utf-8", "surrogateescape") for name, value in headers)
