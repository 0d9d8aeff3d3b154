"""Ties a process to the one that started it, so that nothing outlives its launcher, not even one that is SIGKILLed.

A Python process ties itself with `die_with_parent`. Any other program is started through this file as a script:

    python -I -S tether.py PARENT_PID DEATH_SIGNAL UID GID PROGRAM ARGUMENT...

It becomes the user (UID -1: stays who it is), ties itself to its parent, then becomes the program; the pid stays
the same. A script and not a `preexec_fn`, because the launcher has threads, and Python code that runs between
fork and exec in such a process can deadlock. It imports the standard library alone, reads it all before it gives
up the rights to, and needs no right of the new user on Python itself.

Linux only: elsewhere a killed launcher leaves its children, and the next launcher ends them.
"""

from __future__ import annotations

# All of ctypes is loaded before the change of user, who may be unable to read Python's own folder.
import ctypes
import os
import sys

CANNOT_START = 126
"""Exit code when the program was not reached; the reason is one line on stderr."""

_PR_SET_PDEATHSIG = 1


class ParentGone(Exception):
    """The parent ended before the tie was made."""


def die_with_parent(parent_pid: int, death_signal: int) -> None:
    """Have the kernel send `death_signal` to this process when the parent's thread that started it ends.

    Any later change of user clears the tie, so it comes after that; `exec` keeps it. Raises `ParentGone` if the
    parent is dead already: the kernel only tells of deaths to come.
    """
    if sys.platform != "linux":
        return
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, death_signal, 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    if os.getppid() != parent_pid:
        raise ParentGone(f"process {parent_pid} has ended")


def become_user(uid: int, gid: int) -> None:
    """Give up every right of root, supplementary groups included. There is no way back."""
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def main(arguments: list[str]) -> int:
    """Become the program named in `arguments`; returns only if that failed."""
    parent_pid, death_signal, uid, gid = (int(argument) for argument in arguments[:4])
    program = arguments[4:]
    try:
        if uid >= 0:
            become_user(uid, gid)
        os.umask(0o077)
        die_with_parent(parent_pid, death_signal)
        os.execv(program[0], program)  # noqa: S606  # Becoming another program is what this file is for.
    except (OSError, ParentGone) as error:
        sys.stderr.write(f"FATAL: {program[0]} was not started: {error}\n")
    return CANNOT_START


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
