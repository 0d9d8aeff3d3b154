"""Walking what is to be imported: folders, single mails, mbox files, Maildirs.

Owns what counts as seen. Mail is recognised by content, never by a file's name; everything else is named, with
the reason. Never holds more than one message and one batch in memory. Refuses what is no regular file, and what claims
no bytes: reading a pipe or a file of the kernel would wait for ever.
"""

from __future__ import annotations

import hashlib
import os
import stat
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from tournee.pipeline.core.mail.header_block import is_mail
from tournee.pipeline.core.mail.limits import HEAD_BYTES, MESSAGE_BYTES
from tournee.pipeline.core.mail.mbox import is_mbox, split_mbox
from tournee.pipeline.core.text import clean_text
from tournee.pipeline.store.imports import StagedMail

BATCH_MAILS = 200
BATCH_BYTES = 8 * 1024 * 1024
_CHUNK_BYTES = 1024 * 1024
_MAX_NAME = 1_000


@dataclass(frozen=True, slots=True)
class NotMail:
    """Something seen that is no mail, and why."""

    name: str
    reason: str


@dataclass(slots=True)
class Batch:
    """Some of what was seen, in order; staged in one transaction."""

    mails: list[StagedMail] = field(default_factory=list)
    not_mail: list[NotMail] = field(default_factory=list)
    size_bytes: int = 0

    @property
    def seen(self) -> int:
        """Mails and what is none."""
        return len(self.mails) + len(self.not_mail)

    @property
    def full(self) -> bool:
        """Large enough to be staged."""
        return self.seen >= BATCH_MAILS or self.size_bytes >= BATCH_BYTES


def walk_batches(path: Path) -> Iterator[Batch]:
    """All that is under `path`, by name, a Maildir's new mail first. Blocks on the disk and the processor: run it in a
    thread.
    """
    batch = Batch()
    for item in walk_items(path):
        if isinstance(item, NotMail):
            batch.not_mail.append(item)
        else:
            batch.mails.append(item)
            batch.size_bytes += len(item.raw)
        if batch.full:
            yield batch
            batch = Batch()
    if batch.seen:
        yield batch


def walk_items(path: Path) -> Iterator[StagedMail | NotMail]:
    """Each mail, and each thing that is none; an mbox gives one item per message."""
    for file, name in _walk_files(path):
        try:
            yield from _read_where_it_is(file, name, path)
        except OSError as error:
            yield NotMail(name, f"can't be read: {error.strerror or error}")


def _walk_files(path: Path) -> Iterator[tuple[Path, str]]:
    if not path.is_dir():
        yield path, _clean_name(path.name)
        return
    unread: list[OSError] = []
    for folder, folders, files in os.walk(path, onerror=unread.append):
        _order_folders(folders)
        links = [name for name in folders if Path(folder, name).is_symlink()]
        for name in sorted(files + links):
            full = Path(folder, name)
            yield full, _clean_name(str(full.relative_to(path)))
    for error in unread:
        yield Path(error.filename), _clean_name(os.path.relpath(error.filename, path))


def _order_folders(folders: list[str]) -> None:
    """Walk by name. A Maildir's `tmp` holds deliveries that are not complete. Its `new` comes first: what a mail
    program moves to `cur` meanwhile is met there, and would be passed by the other way round.
    """
    folders.sort()
    if {"cur", "new", "tmp"} <= set(folders):
        folders.remove("tmp")
        folders.remove("new")
        folders.insert(folders.index("cur"), "new")


def _read_where_it_is(file: Path, name: str, root: Path) -> Iterator[StagedMail | NotMail]:
    """Read a file, also when a mail program has renamed it since it was listed."""
    try:
        yield from _read_file(file, name)
    except FileNotFoundError:
        moved = _find_moved(file)
        if moved is None:
            raise
        # What has left `new` is met in `cur`, where that is walked as well.
        if file.parent.name == "cur" or file.parent == root:
            yield from _read_file(moved, name)


def _find_moved(file: Path) -> Path | None:
    """The message of a Maildir under its name of now: what stands before the colon never changes, and `cur` is where it
    goes from `new` and stays while its flags change.
    """
    if file.parent.name not in ("cur", "new"):
        return None
    unique = file.name.partition(":")[0]
    with os.scandir(file.parent.parent / "cur") as entries:
        return next((Path(entry.path) for entry in entries if entry.name.partition(":")[0] == unique), None)


def _read_file(file: Path, name: str) -> Iterator[StagedMail | NotMail]:
    status = file.stat()
    if stat.S_ISDIR(status.st_mode):
        yield NotMail(
            name, "a link to a folder is not followed" if file.is_symlink() else "a folder that can't be read"
        )
        return
    if not stat.S_ISREG(status.st_mode):
        yield NotMail(name, "no regular file")
        return
    if not status.st_size:
        yield NotMail(name, "empty")
        return
    with file.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
        stream.seek(0)
        if is_mbox(head):
            for place, message in enumerate(split_mbox(stream), start=1):
                yield _take_message(message, f"{name}#{place}")
        elif not is_mail(head):
            yield NotMail(name, "no header field at its start")
        else:
            yield _take_whole(stream, name)


def _take_message(message: bytes, name: str) -> StagedMail | NotMail:
    if not is_mail(message[:HEAD_BYTES]):
        return NotMail(name.removesuffix("#1"), "no header field at its start" if message.strip() else "empty")
    digest = hashlib.sha256(message).digest()
    return StagedMail(digest, name, len(message), zlib.compress(message[: MESSAGE_BYTES + 1]))


def _take_whole(stream: BinaryIO, name: str) -> StagedMail:
    """A file that is one mail. Above the size limit only its beginning is kept, its hash is that of the whole."""
    digest = hashlib.sha256()
    kept: list[bytes] = []
    room, length = MESSAGE_BYTES + 1, 0
    while chunk := stream.read(_CHUNK_BYTES):
        digest.update(chunk)
        length += len(chunk)
        if room > 0:
            kept.append(chunk[:room])
            room -= len(kept[-1])
    return StagedMail(digest.digest(), name, length, zlib.compress(b"".join(kept)))


def _clean_name(name: str) -> str:
    """File names are bytes on disk: what is no text is marked, what is too long is cut in front."""
    return clean_text(name)[-_MAX_NAME:]
