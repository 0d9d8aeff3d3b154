"""Bull Board beside the console: its process, where Node and npm can be had."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tournee.bootstrap.stores import Stores
from tournee.settings import QUEUES, Settings
from tournee.web.board_process import BoardProcess, BoardSettings
from tournee.web.ports import DEAD_LETTERS, BoardDoor


@asynccontextmanager
async def open_board(settings: Settings, stores: Stores) -> AsyncIterator[BoardDoor]:
    """The sidecar, started in the background; where it can't be had, the console says why."""
    board = BoardProcess(
        BoardSettings(
            redis_url=stores.redis_url,
            queues=[*QUEUES, DEAD_LETTERS],
            home=settings.home / "board",
            prefix=settings.prefix,
            port=settings.board_port,
        )
    )
    await board.start()
    try:
        yield board
    finally:
        await board.stop()
