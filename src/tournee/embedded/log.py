"""What a server prints: one file, bounded, and the line of it that says why a start failed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tournee.embedded.errors import ServerStartFailed

MAX_LOG_BYTES = 8 * 1024 * 1024
KEPT_LOG_BYTES = 1024 * 1024
_TAIL_BYTES = 64 * 1024

_STAMP = re.compile(r"^(?:\d{4}-\d\d-\d\d [\d:.]+ \S+ \[\d+\] |\d+:\w \d+ \w+ \d{4} [\d:.]+ [.*#-] )")
_NO_SPACE = ("No space left on device", "Disk quota exceeded")
_GRAVE = re.compile(r"FATAL|PANIC|ERROR|[Ee]rror|[Cc]ould not|[Cc]an't|[Ff]ailed|Bad file")


class ServerLog:
    """The server appends to the file itself, so that nothing it does ever waits for us."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def open_for_append(self) -> Iterator[int]:
        """Yield a descriptor for the server's output. Appending is what lets `trim` cut the file under its feet."""
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def mark(self) -> int:
        """Return the present end, for `read_since`."""
        return self.path.stat().st_size if self.path.exists() else 0

    def read_since(self, mark: int) -> list[str]:
        """Return the lines written after `mark`, the latest 64 KiB of them."""
        if not self.path.exists():
            return []
        with self.path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(min(mark, end), end - _TAIL_BYTES))
            return file.read(_TAIL_BYTES).decode("utf-8", "replace").splitlines()

    def trim(self) -> None:
        """Cut a file that has grown too large; its last part stays beside it as `.1`."""
        if self.mark() <= MAX_LOG_BYTES:
            return
        with self.path.open("r+b") as file:
            file.seek(-KEPT_LOG_BYTES, os.SEEK_END)
            old = self.path.with_name(f"{self.path.name}.1")
            old.touch(mode=0o600)
            old.write_bytes(file.read(KEPT_LOG_BYTES))
            file.truncate(0)


def explain_failure(what: str, lines: Sequence[str], log: Path) -> ServerStartFailed:
    """Turn the lines that a failed program left into one that says what to do."""
    if any(text in line for line in lines for text in _NO_SPACE):
        return ServerStartFailed(
            f"{what} can't write: the disk that holds {log.parent.parent} is full: free some space"
        )
    return ServerStartFailed(f"{what} did not start: {pick_reason(lines)} (more in {log})")


def pick_reason(lines: Sequence[str]) -> str:
    """Return the line that tells why a server ended: the last grave one, else the last; without its time stamp."""
    told = [line for line in lines if line.strip()]
    grave = [line for line in told if _GRAVE.search(line)]
    chosen = (grave or told or ["it printed nothing"])[-1]
    return _STAMP.sub("", chosen).strip()
