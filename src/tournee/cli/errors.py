"""Exit codes, and the exceptions that lead to them.

Owns the mapping: 0 done, 1 failed, 2 wrong usage, 3 set-up incomplete; 128 plus the signal's number for a command that
a signal or a closed pipe ended, as shells have it.
"""

from __future__ import annotations

import signal
from enum import IntEnum


class ExitCode(IntEnum):
    """What a command answers to its shell."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    SETUP_INCOMPLETE = 3
    INTERRUPTED = 128 + signal.SIGINT
    BROKEN_PIPE = 128 + signal.SIGPIPE
    TERMINATED = 128 + signal.SIGTERM


class CommandFailed(Exception):
    """The command could not do what was asked: exit code 1, the message is the one line that is printed."""


class WrongUsage(Exception):
    """The options given don't make sense together: exit code 2."""


class Interrupted(Exception):
    """A signal ended the command; all was cleaned up."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__("interrupted" if number is signal.SIGINT else "terminated")
        self.exit_code = ExitCode(128 + number)
