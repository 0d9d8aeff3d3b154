"""The folder that holds all that the embedded servers keep, and the lock that gives it to one launcher.

    run/lock                 held for as long as the servers may run
    run/*.json               ports and passwords, mode 0600, never readable by the servers' user
    postgresql/ valkey/      data, belonging to the servers' user, mode 0700
    servers/                 copies of the binaries, where the environment's folder is closed to that user
    logs/                    what the servers print

Invariant: one launcher per home. Refused: a home that the servers' user can't enter. No mode of a folder that was
there before is changed.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from tournee.embedded.account import find_account, find_closed_path
from tournee.embedded.errors import HomeInUse, HomeNotAccessible
from tournee.kit.child import Account
from tournee.kit.errors import SetupError

_PASSABLE = 0o711
"""Folders of root that the servers' user walks through: it may enter, not list."""


class Home:
    """An open, locked home. `close` gives the lock back."""

    def __init__(self, path: Path, account: Account | None) -> None:
        self.path = path
        self.account = account
        self._lock: int | None = None

    @classmethod
    def open(cls, path: Path) -> Home:
        """Create what is missing and take the lock; raises `HomeInUse`, `HomeNotAccessible` or `SetupError`."""
        home = cls(path.expanduser().absolute(), find_account())
        try:
            home._create_folders()
            home._take_lock()
        except PermissionError as error:
            raise HomeNotAccessible(
                f"{error.filename or home.path} can't be written: give this user the right to, or set TOURNEE_HOME"
            ) from error
        except (FileExistsError, NotADirectoryError) as error:
            raise SetupError(
                f"{error.filename} is a file where a folder is needed: move it away, or set TOURNEE_HOME"
            ) from error
        except OSError as error:
            raise SetupError(f"the home {home.path} can't be used: {error}: set TOURNEE_HOME to another") from error
        return home

    @property
    def run(self) -> Path:
        return self.path / "run"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def binaries(self) -> Path:
        return self.path / "servers"

    def close(self) -> None:
        """Give the lock back; the servers must have ended."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _create_folders(self) -> None:
        outer = _PASSABLE if self.account else 0o700
        for folder in reversed([self.path, *self.path.parents]):
            _create_folder(folder, outer)
        for folder in (self.run, self.logs):
            _create_folder(folder, 0o700)
        closed = find_closed_path([self.path], self.account)
        if closed is not None:
            who = f"the user {self.account.name}, which root's servers run as," if self.account else "this user"
            raise HomeNotAccessible(
                f"{who} can't enter {closed}: set TOURNEE_HOME to a folder that it can enter, or chmod o+x {closed}"
            )

    def _take_lock(self) -> None:
        """The lock goes with the process, whatever ends it; the file itself stays and means nothing."""
        path = self.run / "lock"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(descriptor)
            raise HomeInUse(
                f"the servers of {self.path} are already run by process {holder}: use that one, or stop it first"
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._lock = descriptor


def _create_folder(path: Path, mode: int) -> None:
    """Create one folder with exactly this mode, whatever the umask; leave one that exists as it is."""
    if path.is_dir():
        return
    try:
        path.mkdir(mode=mode)
    except FileExistsError:
        if not path.is_dir():
            raise
    else:
        path.chmod(mode)
