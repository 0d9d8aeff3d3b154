"""The user that the servers run as, and what that user may reach.

PostgreSQL refuses to run as root, and a dispatcher has no business with root's rights, so root's servers run as
`nobody`. Only folders that Tournée made for its servers change hands; the mode or owner of any other folder is
never touched: what is closed to the servers' user is reported instead.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterable, Sequence
from pathlib import Path

from tournee.embedded.errors import HomeNotAccessible
from tournee.kit.child import Account, ChildProcess, Command
from tournee.kit.errors import SetupError

UNPRIVILEGED_USER = "nobody"
_FIND_CLOSED = 'for p; do if [ -d "$p" ]; then [ -x "$p" ]; else [ -r "$p" ]; fi || { printf %s "$p"; exit 0; }; done'


def find_account() -> Account | None:
    """Return the user that the servers must run as; None: as ourselves."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(UNPRIVILEGED_USER)
    except KeyError:
        raise SetupError(
            f"root's servers run as the user {UNPRIVILEGED_USER!r}, which this system does not have: "
            "create it, or start Tournée as another user than root"
        ) from None
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def find_closed_path(paths: Iterable[Path], account: Account | None) -> Path | None:
    """Return the first of the paths, each looked at from the root down, that the servers' user can't enter or read.

    The kernel is asked as that user, not the mode bits: those know nothing of access control lists.
    """
    candidates = list(dict.fromkeys(part for path in paths for part in _list_parts(path)))
    if account is None:
        return next((path for path in candidates if not _is_open(path)), None)
    answer = _ask_as(account, ["/bin/sh", "-c", _FIND_CLOSED, "sh", *map(str, candidates)])
    return Path(answer) if answer else None


def own_folder(path: Path, account: Account | None) -> None:
    """Make `path` a folder of mode 0700 that belongs, with all that is in it, to the servers' user."""
    uid, gid = (account.uid, account.gid) if account else (os.geteuid(), os.getegid())
    path.mkdir(mode=0o700, exist_ok=True)
    owner = path.lstat().st_uid
    if owner == uid:
        return
    if os.geteuid() != 0:
        raise HomeNotAccessible(
            f"{path} belongs to {_name_user(owner)}: start Tournée as root as before, or chown -R that folder"
        )
    for _, _, files, descriptor in os.fwalk(path):
        os.chown(descriptor, uid, gid)
        for name in files:
            os.chown(name, uid, gid, dir_fd=descriptor, follow_symlinks=False)
    path.chmod(0o700)


def write_owned(path: Path, text: str, account: Account | None) -> None:
    """Replace a file in a folder of the servers' user, readable by that user alone. Never follows a link there."""
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        if account:
            os.fchown(descriptor, account.uid, account.gid)
        file.write(text)
        file.flush()
        os.fsync(descriptor)
    draft.replace(path)


def _ask_as(account: Account, arguments: Sequence[str]) -> str:
    """Run a short program as `account` and return what it printed."""
    reader, writer = os.pipe()
    with os.fdopen(reader, encoding="utf-8", errors="surrogateescape") as answer:
        try:
            child = ChildProcess.spawn(Command(arguments, account), writer)
        finally:
            os.close(writer)
        text = answer.read()
    code = child.reap()
    if code != 0:
        raise SetupError(
            f"root's servers run as {account.name}, which is not possible here ({text.strip()}): "
            "start Tournée as another user than root"
        )
    return text


def _list_parts(path: Path) -> list[Path]:
    return [*reversed(path.parents), path]


def _is_open(path: Path) -> bool:
    return os.access(path, os.X_OK if path.is_dir() else os.R_OK)


def _name_user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
