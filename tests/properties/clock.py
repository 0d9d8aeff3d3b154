"""An event loop whose clock runs fast and can be put forward, so that pauses and leases cost a test next to nothing.

Time-outs of connections run on it too: whoever opens one here gives it twenty times the usual.
"""

from __future__ import annotations

import asyncio
import selectors

SPEED = 20


class _FastSelector(selectors.DefaultSelector):
    """Waits a twentieth of what it is told."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(timeout / SPEED if timeout is not None and timeout > 0 else timeout)


class FastLoop(asyncio.SelectorEventLoop):
    """Twenty of its seconds pass in one; `put_forward` lets any number pass at once."""

    def __init__(self) -> None:
        super().__init__(_FastSelector())
        self._ahead = 0.0

    def time(self) -> float:
        return super().time() * SPEED + getattr(self, "_ahead", 0.0)

    def put_forward(self, seconds: float) -> None:
        self._ahead += seconds
