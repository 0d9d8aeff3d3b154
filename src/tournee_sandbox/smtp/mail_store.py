"""What the SMTP simulator received: one line in `mails.jsonl` and one file under `eml/` for each mail.

A mail is answered 250 only after both are on disk. Mails that arrive together share one flush. The list is only ever
appended to; a last line torn by a crash is cut off at the next start, and its mail was never acknowledged. Two
processes cannot share a folder: the second is refused.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesHeaderParser
from io import FileIO
from pathlib import Path

from tournee_sandbox.journal import open_journal

FLUSHED_TOGETHER = 64


@dataclass(frozen=True, slots=True)
class ReceivedMail:
    """One mail as it was taken. `number` counts from 1 in the order of arrival."""

    number: int
    message_id: str | None
    sender: str
    recipients: Sequence[str]
    subject: str
    received_at: str
    size: int
    sha256: str
    file: str


@dataclass(frozen=True, slots=True)
class _Waiting:
    raw: bytes
    sender: str
    recipients: Sequence[str]
    stored: asyncio.Future[ReceivedMail]


class MailStore:
    """Appends mails durably and answers what came. All methods belong to one event loop."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mails: list[ReceivedMail] = []
        self._list: FileIO | None = None
        self._waiting: list[_Waiting] = []
        self._flushing: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Read what earlier runs left. Raises FolderInUse."""
        (self.folder / "eml").mkdir(parents=True, exist_ok=True, mode=0o700)
        self._list, entries = open_journal(self.folder / "mails.jsonl")
        self.mails = [ReceivedMail(**entry) for entry in entries]

    async def close(self) -> None:
        """Wait for what is being written, then let the folder go."""
        while self._flushing is not None:
            await asyncio.wait([self._flushing])
        if self._list is not None:
            self._list.close()
            self._list = None

    async def add(self, raw: bytes, sender: str, recipients: Sequence[str]) -> ReceivedMail:
        """Keep one mail; it is on disk when this returns. OSError if it could not be written."""
        waiting = _Waiting(raw, sender, tuple(recipients), asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._flush(), name="sandbox-mail-store")
        return await asyncio.shield(waiting.stored)

    def count_repeats(self) -> dict[str, int]:
        """How often each Message-ID came, for those that came more than once."""
        counted = Counter(mail.message_id for mail in self.mails if mail.message_id is not None)
        return {message_id: times for message_id, times in counted.items() if times > 1}

    async def _flush(self) -> None:
        while self._waiting:
            together, self._waiting = (
                self._waiting[:FLUSHED_TOGETHER],
                self._waiting[FLUSHED_TOGETHER:],
            )
            first = len(self.mails) + 1
            described = [_describe(first + index, waiting) for index, waiting in enumerate(together)]
            try:
                await asyncio.to_thread(self._write, described, [waiting.raw for waiting in together])
            except OSError as error:
                _settle_failed(together, error)
                continue
            self.mails.extend(described)
            for waiting, mail in zip(together, described, strict=True):
                if not waiting.stored.done():
                    waiting.stored.set_result(mail)
        self._flushing = None

    def _write(self, mails: Sequence[ReceivedMail], raws: Sequence[bytes]) -> None:
        assert self._list is not None, "the store is not open"
        for mail, raw in zip(mails, raws, strict=True):
            with (self.folder / mail.file).open("wb") as handle:
                handle.write(raw)
                handle.flush()
                os.fsync(handle.fileno())
        _flush_folder(self.folder / "eml")
        lines = b"".join(json.dumps(asdict(mail)).encode() + b"\n" for mail in mails)
        end = self._list.seek(0, os.SEEK_END)
        try:
            _write_whole(self._list, lines)
            os.fsync(self._list.fileno())
        except OSError:
            self._list.truncate(end)  # No torn line may stay in the middle.
            raise


def _describe(number: int, waiting: _Waiting) -> ReceivedMail:
    headers = BytesHeaderParser().parsebytes(waiting.raw)
    digest = hashlib.sha256(waiting.raw).hexdigest()
    return ReceivedMail(
        number=number,
        message_id=_read_header(headers, "Message-ID"),
        sender=waiting.sender,
        recipients=list(waiting.recipients),
        subject=_read_header(headers, "Subject") or "",
        received_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
        size=len(waiting.raw),
        sha256=digest,
        file=f"eml/{number:06d}-{digest[:16]}.eml",
    )


def _read_header(headers: Message, name: str) -> str | None:
    """The decoded value on one line; as it stands where it cannot be decoded."""
    if headers[name] is None:
        return None
    value = " ".join(str(headers[name]).split())
    try:
        return str(make_header(decode_header(value)))
    except (ValueError, LookupError, HeaderParseError):
        return value


def _settle_failed(together: Sequence[_Waiting], error: OSError) -> None:
    for waiting in together:
        if not waiting.stored.done():
            waiting.stored.set_exception(error)
            waiting.stored.exception()  # Marks it as seen: the client that waited may be gone.


def _write_whole(handle: FileIO, content: bytes) -> None:
    if handle.write(content) != len(content):
        raise OSError(f"{handle.name!r} could not be written whole")


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
