"""A server's port and passwords, kept over restarts in a file of mode 0600.

Invariant: what the file says is what the server's data knows, because it is written after the server took it.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

_PASSWORD_BYTES = 24


@dataclass(frozen=True, slots=True)
class Credentials:
    """`passwords` by role; made of letters, digits, `-` and `_`, so that they need no quoting anywhere."""

    passwords: dict[str, str] = field(repr=False)
    port: int | None = None


def create_credentials(roles: Sequence[str]) -> Credentials:
    """Draw a fresh random password for each role."""
    return Credentials({role: secrets.token_urlsafe(_PASSWORD_BYTES) for role in roles})


def load_credentials(path: Path, roles: Sequence[str]) -> Credentials | None:
    """Read what was kept; None where nothing usable is there: the caller then draws and sets new ones."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        passwords = {role: str(kept["passwords"][role]) for role in roles}
        port = kept["port"]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
    return Credentials(passwords, port if isinstance(port, int) else None)


def save_credentials(path: Path, credentials: Credentials) -> None:
    """Replace the file in one step; a crash leaves the old one or the new one."""
    draft = path.with_suffix(".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(asdict(credentials), file)
        file.flush()
        os.fsync(descriptor)
    draft.replace(path)
