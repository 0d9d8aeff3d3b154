"""Where and how to reach the SMTP server, read from one URL.

`smtp://user:password@host:587?starttls=required` · `smtps://host` · user and password percent-encoded.

| part | meaning | default |
|---|---|---|
| scheme | `smtps`: TLS from the first byte; `smtp`: STARTTLS as below | |
| port | | smtps 465, smtp with a user 587, else 25 |
| `starttls` | `offered`: used where offered · `required`: no mail without it · `never` | `offered` |
| `verify` | `no`: any certificate will do (a self-signed one on the same host) | `yes` |
| `ca` | a file of certificates to trust besides the system's | |
| `helo` | the name we greet with | the sender's domain |

Anything else is refused: a misspelt option must not silently weaken the connection.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

_IPV4_LOOPBACK = re.compile(r"127(\.\d{1,3}){3}")
_OPTIONS: dict[str, frozenset[str] | None] = {
    "starttls": frozenset({"offered", "required", "never"}),
    "verify": frozenset({"yes", "no"}),
    "ca": None,
    "helo": None,
}


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """One SMTP server. The password shows in no repr."""

    host: str
    port: int
    implicit_tls: bool = False
    starttls: Literal["offered", "required", "never"] = "offered"
    user: str | None = None
    password: str = field(default="", repr=False)
    verify: bool = True
    ca_file: str | None = None
    helo: str | None = None

    @property
    def is_loopback(self) -> bool:
        return self.host in ("localhost", "::1") or _IPV4_LOOPBACK.fullmatch(self.host) is not None


def parse_smtp_url(url: str) -> SmtpServer:
    """ValueError with what is wrong, never with the URL itself: it may hold a password."""
    parts = urlsplit(url)
    if parts.scheme not in ("smtp", "smtps"):
        raise ValueError("an SMTP URL starts with smtp:// or smtps://")
    if not parts.hostname:
        raise ValueError("the SMTP URL names no host")
    if parts.path not in ("", "/") or parts.fragment:
        raise ValueError("an SMTP URL has no path (is a character of the password not percent-encoded?)")
    options = _parse_options(parts.query)
    implicit_tls = parts.scheme == "smtps"
    user = unquote(parts.username) if parts.username else None
    if implicit_tls and "starttls" in options:
        raise ValueError("starttls has no meaning with smtps://")
    return SmtpServer(
        host=parts.hostname,
        port=_read_port(parts) or (465 if implicit_tls else 587 if user else 25),
        implicit_tls=implicit_tls,
        starttls=options.get("starttls", "offered"),  # type: ignore[arg-type]  # checked against _OPTIONS
        user=user,
        password=unquote(parts.password or ""),
        verify=options.get("verify", "yes") == "yes",
        ca_file=options.get("ca"),
        helo=options.get("helo"),
    )


def _read_port(parts: SplitResult) -> int | None:
    try:
        return parts.port
    except ValueError:
        raise ValueError("the port of the SMTP URL is no number from 0 to 65535") from None


def _parse_options(query: str) -> dict[str, str]:
    options: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in _OPTIONS:
            raise ValueError(f"an SMTP URL has no option {name!r}; it has {', '.join(sorted(_OPTIONS))}")
        allowed = _OPTIONS[name]
        if not value or (allowed is not None and value not in allowed):
            raise ValueError(f"{name} is one of {', '.join(sorted(allowed))}" if allowed else f"{name} is empty")
        options[name] = value
    return options
