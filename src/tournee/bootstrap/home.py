"""The home folder: whether it can be one, making it, and who owns it.

Invariant: one long-lived stack for each home, whether its servers are embedded or not. Refuses a home that the servers'
user can't enter before anything is made in it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tournee.bootstrap.locks import LockHeld, hold_lock
from tournee.bootstrap.stack_file import read_stack
from tournee.embedded import HomeNotAccessible
from tournee.embedded.account import find_account, find_closed_path
from tournee.kit.errors import SetupError

PRIVATE = 0o700
PASSABLE = 0o711
"""Root's servers run as another user, who walks through the home to the folders that are his."""


def check_home(home: Path, *, for_servers: bool = True) -> None:
    """Raise `SetupError` for a home that can't be one, before anything is made in it.

    `for_servers`: embedded servers are to work in it, under root those of another user.
    """
    nearest = next(folder for folder in (home, *home.parents) if folder.exists())
    if not nearest.is_dir():
        raise SetupError(f"{nearest} is a file where a folder is needed: move it away, or set TOURNEE_HOME")
    account = find_account() if for_servers else None
    closed = find_closed_path([nearest], account)
    if closed is not None:
        who = f"the user {account.name}, which root's servers run as," if account else "this user"
        raise HomeNotAccessible(
            f"{who} can't enter {closed}: set TOURNEE_HOME to a folder that it can enter, or chmod o+x {closed}"
        )
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise HomeNotAccessible(f"{nearest} can't be written: give this user the right to, or set TOURNEE_HOME")


def make_home(home: Path, *, for_servers: bool = True) -> None:
    """Make the home with the folders that a stack writes to; what is there keeps its mode. Raises `SetupError`."""
    check_home(home, for_servers=for_servers)
    try:
        for folder in reversed([home, *home.parents]):
            _make_folder(folder, PASSABLE if os.geteuid() == 0 else PRIVATE)
        for folder in (home / "run", home / "logs"):
            _make_folder(folder, PRIVATE)
    except OSError as error:
        raise SetupError(f"{home} can't be used ({error.strerror}): set TOURNEE_HOME to another folder") from error


@contextmanager
def own_home(home: Path) -> Iterator[None]:
    """Keep every other stack out of a home that was made; raises `SetupError` if one is in."""
    if (running := read_stack(home)) is not None:
        raise _explain_taken(home, running.pid, lasts=running.lasts)
    path = home / "run" / "stack.lock"
    try:
        with hold_lock(path):
            yield
    except LockHeld as held:
        raise _explain_taken(home, held.holder, lasts=True) from held


def _explain_taken(home: Path, pid: int, *, lasts: bool) -> SetupError:
    if lasts:
        return SetupError(f"a stack serves {home} already (process {pid}): use that one, or stop it first")
    return SetupError(f"a command uses the servers of {home} (process {pid}): wait for its end, or stop it first")


def _make_folder(path: Path, mode: int) -> None:
    """Whatever the umask is."""
    if not path.is_dir():
        path.mkdir(mode=mode)
        path.chmod(mode)
