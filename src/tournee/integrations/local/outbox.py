"""The Mailer for a home without an SMTP server: a Maildir that any mail reader opens.

A mail is on disk, flushed, when `send` returns. Its file is named after its Message-ID, so that a repeat replaces it;
one that was read meanwhile (moved to `cur`) is left alone. Folders are 0700, files 0600: alerts are private.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from tournee.pipeline.core.rfc5322 import compose_message, parse_sender
from tournee.pipeline.ports import Email, OutsideUnavailable

PROVIDER = "outbox"


def _read_clock() -> datetime:
    return datetime.now(UTC)


class OutboxMailer:
    """Writes mail into the Maildir `folder`, made when first needed. ValueError if `sender` is no address.

    `send` raises OutsideUnavailable("outbox") if the disk refuses (full, read-only), Rejected for a recipient that is
    no address.
    """

    provider = PROVIDER

    def __init__(
        self,
        folder: Path,
        sender: str = "Tournée <tournee@localhost>",
        read_clock: Callable[[], datetime] = _read_clock,
    ) -> None:
        self._folder = folder
        self._sender = parse_sender(sender)
        self._read_clock = read_clock

    async def send(self, email: Email) -> None:
        mail = compose_message(email, self._sender, self._read_clock())
        try:
            await asyncio.to_thread(self._write, name_file(email.message_id), mail.content)
        except OSError as error:
            raise OutsideUnavailable(PROVIDER, f"{type(error).__name__}: {error.strerror or error}") from error

    async def close(self) -> None:
        """Nothing is held open."""

    def _write(self, name: str, content: bytes) -> None:
        for folder in (self._folder, *(self._folder / part for part in ("tmp", "new", "cur"))):
            folder.mkdir(mode=0o700, parents=folder == self._folder, exist_ok=True)
        if any((self._folder / "cur").glob(f"{name}*")):
            return
        # Two sends of one mail at once write two files and rename both: the later one stays.
        temporary = self._folder / "tmp" / f"{name}.{os.getpid()}.{os.urandom(6).hex()}"
        try:
            _write_flushed(temporary, content)
            temporary.replace(self._folder / "new" / name)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        _flush_folder(self._folder / "new")


def name_file(message_id: str) -> str:
    """The Maildir name of a mail: the same for the same Message-ID, without anything of it that a path could mind."""
    return f"{hashlib.sha256(message_id.encode()).hexdigest()[:40]}.tournee"


def _write_flushed(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
