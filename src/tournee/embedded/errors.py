"""What can keep the embedded servers from starting. Each message is one line and says what to do."""

from __future__ import annotations

from tournee.kit.errors import SetupError


class HomeInUse(SetupError):
    """Another launcher holds the home: two would fight over one data folder."""


class HomeNotAccessible(SetupError):
    """We, or the user that the servers run as, can't work in the home."""


class ServerStartFailed(SetupError):
    """A server ended before it was ready, or was not ready in time."""
