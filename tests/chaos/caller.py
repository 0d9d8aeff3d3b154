"""The process of the callers: clients of the API, which reach no store.

Obeys what concerns a caller, and answers the nemesis; what it says to every process is not its matter.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from tests.chaos.calls import CallLog
from tests.chaos.generator import CALLERS, Client, Generator, GeneratorSettings
from tests.support.invariants import Journal


class CallerProcess:
    """The callers, wired and listening for commands."""

    def __init__(self, api_url: str, folder: Path, settings: GeneratorSettings, tell: Callable[..., None]) -> None:
        limits = httpx.Limits(max_connections=2 * CALLERS)
        # The time limit is the client's own, over the whole of a request.
        self._http = httpx.AsyncClient(base_url=api_url, trust_env=False, timeout=None, limits=limits)
        client = Client(self._http, Journal(folder / "journal"), CallLog(folder / "calls"))
        self._generator = Generator(client, settings, folder / "progress", tell)
        self._tell = tell
        self._extra: set[asyncio.Task[None]] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Call until `stop`."""
        load = asyncio.create_task(self._generator.run())
        load.add_done_callback(_die_of_errors)
        self._tell({"event": "ready", "holder": ""})
        await stop.wait()
        load.cancel()
        await self._http.aclose()

    def obey(self, command: dict[str, Any]) -> None:
        match command["do"]:
            case "pause" | "resume":
                self._generator.hold(command["do"] == "pause")
            case "post":
                task = asyncio.create_task(self._generator.post_extra(command["name"]))
                self._extra.add(task)
                task.add_done_callback(self._extra.discard)
            case _:
                return


def _die_of_errors(load: asyncio.Task[None]) -> None:
    """A load that ended by an error would leave the run waiting for ever."""
    if not load.cancelled() and load.exception() is not None:
        raise SystemExit(1) from load.exception()
