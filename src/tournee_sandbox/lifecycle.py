"""What every simulator keeps: it starts, says where it is, and stops."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Simulator(Protocol):
    """One simulated service.

    `start` returns when the service answers; a failed start leaves nothing running. `stop` ends all it started, may be
    called twice and after a failed start, and returns when no task and no socket of it is left.
    """

    name: str
    """The key of its addresses in what the sandbox prints: `smtp`, `gmail`, …"""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def read_addresses(self) -> Mapping[str, str]:
        """Its URLs by purpose: `url` for the client under test, `control` to read and steer the simulator."""
        ...
