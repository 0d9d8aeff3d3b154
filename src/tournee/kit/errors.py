"""The one error that every room may raise when the surroundings, not the code, have to be put right."""

from __future__ import annotations


class SetupError(Exception):
    """Something outside the program must be changed first.

    The message is one clear line that says what is wrong and what to do. The command line prints it and exits 3.
    """
