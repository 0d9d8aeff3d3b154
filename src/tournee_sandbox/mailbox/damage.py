"""How mail goes wrong on its way: one function for each kind of damage, from a copy to the bytes that arrive.

Each damaged mail is still a newsletter that a person could read, so it must come out as one.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from html import escape
from struct import pack

from tournee_sandbox.mailbox import mime
from tournee_sandbox.mailbox.layouts import Copy, render_html, render_text

Headers = list[tuple[str, str]]


def _leave_unclosed(copy: Copy, headers: Headers) -> bytes:
    """The sender crashed before the end of the boundary."""
    return mime.serialize_mail(headers, mime.multipart("alternative", _parts(copy), closed=False))


def _declare_wrong_charset(copy: Copy, headers: Headers) -> bytes:
    """windows-1252 that says it is UTF-8."""
    raw = render_html(copy).encode("windows-1252")
    part = mime.Part(_text_headers("html", "utf-8", "8bit"), mime.encode_body(raw, "8bit"))
    return mime.serialize_mail(headers, part)


def _leave_headers_raw(copy: Copy, headers: Headers) -> bytes:
    """Subject and sender in bare ISO-8859-1 instead of RFC 2047."""
    issue = copy.issue
    bare = {
        "Subject": _as_raw_bytes(issue.subject),
        "From": _as_raw_bytes(f"{issue.publisher.name} (échos du fleuve) <{issue.publisher.address}>"),
    }
    changed = [(name, bare.get(name, value)) for name, value in headers]
    return mime.serialize_mail(changed, mime.multipart("alternative", _parts(copy)))


def _drop_date(copy: Copy, headers: Headers) -> bytes:
    """No Date, and no Received either."""
    kept = [(name, value) for name, value in headers if name not in ("Date", "Received")]
    return mime.serialize_mail(kept, mime.multipart("alternative", _parts(copy)))


def _sprinkle_nul_bytes(copy: Copy, headers: Headers) -> bytes:
    """A gateway padded lines with NUL bytes."""
    text = render_text(copy).replace("\n\n", "\x00\n\x00\n")
    part = mime.text_part(text, "plain", "utf-8", "8bit")
    return mime.serialize_mail(headers, part)


def _declare_unknown_charset(copy: Copy, headers: Headers) -> bytes:
    """A charset that nobody has."""
    raw = render_text(copy).encode("utf-8")
    part = mime.Part(_text_headers("plain", "x-unknown-8bit", "8bit"), mime.encode_body(raw, "8bit"))
    return mime.serialize_mail(headers, part)


def _spoil_base64(copy: Copy, headers: Headers) -> bytes:
    """Blanks and an odd line inside the base64, no padding at its end."""
    encoded = mime.encode_body(render_html(copy).encode("utf-8"), "base64")
    lines = encoded.rstrip(b"=\r\n").split(b"\r\n")
    lines[2:2] = [b"  ", b"!!"]
    body = b"\r\n".join(lines) + b"\r\n"
    return mime.serialize_mail(headers, mime.Part(_text_headers("html", "utf-8", "base64"), body))


def _keep_image_only(copy: Copy, headers: Headers) -> bytes:
    """Not one visible word: a picture in slices, each of them a link."""
    item = copy.issue.items[0]
    host = copy.issue.publisher.host
    link = escape(copy.link(item))
    slices = "\n".join(
        f'<tr><td><a href="{link}&amp;p={number}"><img src="https://{host}/photo/slice-{number}.jpg" width="600" '
        f'height="220" alt="" style="display:block"></a></td></tr>'
        for number in range(1, 5)
    )
    pixel = f'<img src="https://{host}/o/{copy.token("pixel")}.gif" width="1" height="1" alt="">'
    page = f'<html><body><table width="600" align="center">\n{slices}\n</table>{pixel}</body></html>\n'
    return mime.serialize_mail(headers, mime.text_part(page, "html", "utf-8", "quoted-printable"))


DAMAGES: dict[str, Callable[[Copy, Headers], bytes]] = {
    "unclosed": _leave_unclosed,
    "wrong-charset": _declare_wrong_charset,
    "raw-headers": _leave_headers_raw,
    "no-date": _drop_date,
    "nul-bytes": _sprinkle_nul_bytes,
    "unknown-charset": _declare_unknown_charset,
    "spoilt-base64": _spoil_base64,
    "image-only": _keep_image_only,
}


def draw_picture(width: int = 48, height: int = 32) -> bytes:
    """A small PNG, a gradient: for the file that has the name of a mail and is none."""
    rows = b"".join(
        b"\x00" + bytes(value for x in range(width) for value in (x * 5, y * 7, 160)) for y in range(height)
    )
    chunks = ((b"IHDR", pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        pack(">I", len(data)) + kind + data + pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def _parts(copy: Copy) -> list[mime.Part]:
    publisher = copy.issue.publisher
    return [
        mime.text_part(render_text(copy), "plain", publisher.charset, publisher.encoding),
        mime.text_part(render_html(copy), "html", publisher.charset, publisher.encoding),
    ]


def _text_headers(subtype: str, charset: str, encoding: str) -> mime.Headers:
    return (("Content-Type", f"text/{subtype}; charset={charset}"), ("Content-Transfer-Encoding", encoding))


def _as_raw_bytes(value: str) -> str:
    """ISO-8859-1 bytes in the form in which the header writer passes bytes through."""
    return value.encode("iso-8859-1").decode("utf-8", "surrogateescape")
