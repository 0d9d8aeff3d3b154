"""Runs commands on a channel in bounded pipelines, and survives a server that has lost its scripts.

A pipeline is not a transaction: each command reports for itself. So when a flush falls between two of them, only
those that were refused with NOSCRIPT are sent again, behind their scripts and in the same round trip; the others have
been executed and are never repeated.
"""

from __future__ import annotations

from collections.abc import Sequence

from redis.exceptions import NoScriptError, ResponseError

from tournee.engine.bullmq.channel import Channel, Reply
from tournee.engine.bullmq.commands import pack
from tournee.engine.bullmq.faults import unavailable
from tournee.engine.bullmq.scripts import ScriptLibrary

MAX_COMMANDS = 1_000
"""Commands in one round trip."""

_RELOADS = 10
"""How often scripts are loaded for one pipeline before the server counts as unusable."""


class Pipeline:
    """Commands in, replies out, on one channel."""

    def __init__(self, channel: Channel, library: ScriptLibrary) -> None:
        self._channel = channel
        self._loads = {script.sha: pack("SCRIPT", "LOAD", script.text) for script in library}

    async def run(self, commands: Sequence[bytes]) -> list[Reply]:
        """A reply for each command, a `ResponseError` in place for one that was refused.

        Raises `BrokerUnavailable` if a connection fails; then earlier commands may have been executed.
        """
        replies: list[Reply] = []
        for start in range(0, len(commands), MAX_COMMANDS):
            replies += await self._run_chunk(commands[start : start + MAX_COMMANDS])
        return replies

    async def run_all(self, commands: Sequence[bytes]) -> list[Reply]:
        """Like `run`, but raises `BrokerUnavailable` if any command was refused."""
        replies = await self.run(commands)
        raise_refusal(replies)
        return replies

    async def _run_chunk(self, commands: Sequence[bytes]) -> list[Reply]:
        replies = await self._channel.execute(commands)
        for _ in range(_RELOADS):
            missed = [index for index, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
            if not missed:
                break
            for index, reply in zip(missed, await self._repeat([commands[index] for index in missed]), strict=True):
                replies[index] = reply
        return replies

    async def _repeat(self, commands: Sequence[bytes]) -> list[Reply]:
        wanted = {_read_sha(command) for command in commands}
        loads = [load for sha, load in self._loads.items() if sha in wanted]
        replies = await self._channel.execute([*loads, *commands])
        for reply in replies[: len(loads)]:
            if isinstance(reply, ResponseError):
                # Told as the commands' own refusal: what the pipeline did before them must not be lost.
                return [reply] * len(commands)
        return replies[len(loads) :]


def _read_sha(command: bytes) -> bytes:
    """The script that a packed EVALSHA names: `*n $7 EVALSHA $40 sha …`, one part a line."""
    return command.split(b"\r\n", 5)[4]


def raise_refusal(replies: Sequence[Reply]) -> None:
    """Raise `BrokerUnavailable` for the first refusal among `replies`."""
    for reply in replies:
        if isinstance(reply, ResponseError):
            raise unavailable(reply) from reply
