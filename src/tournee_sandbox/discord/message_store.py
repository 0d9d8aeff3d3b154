"""What the simulator took: one line in `messages.jsonl` for each message, and the same in memory."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import Any

from tournee_sandbox.discord.request import Message
from tournee_sandbox.discord.webhooks import Webhook
from tournee_sandbox.journal import open_journal

DISCORD_EPOCH_MS = 1_420_070_400_000


@dataclass(frozen=True, slots=True)
class ReceivedMessage:
    """One message as it was taken. `number` counts from 1 in the order of arrival; `answered` is false for a message
    that was kept although its sender was told nothing or an error.
    """

    number: int
    id: str
    webhook_id: str
    channel_id: str
    webhook_name: str
    received_at: str
    sent: Mapping[str, Any]
    """The body as it came."""
    mentions_everyone: bool
    answered: bool


class MessageStore:
    """Appends messages and answers what came. All methods belong to one event loop."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.messages: list[ReceivedMessage] = []
        self._file: FileIO | None = None

    def open(self) -> None:
        """Read what earlier runs left. Raises FolderInUse."""
        self._file, entries = open_journal(self.folder / "messages.jsonl")
        self.messages = [ReceivedMessage(**entry) for entry in entries]

    def close(self) -> None:
        """Let the folder go."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def add(
        self, body: bytes, message: Message, webhook: Webhook, channel_id: str, *, answered: bool
    ) -> ReceivedMessage:
        """Keep one message. OSError if it could not be written."""
        assert self._file is not None, "the store is not open"
        number = len(self.messages) + 1
        received = ReceivedMessage(
            number=number,
            id=str(((int(time.time() * 1000) - DISCORD_EPOCH_MS) << 22) | number % 4096),
            webhook_id=webhook.id,
            channel_id=channel_id,
            webhook_name=webhook.name,
            received_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            sent=json.loads(body),
            mentions_everyone=message.mentions_everyone,
            answered=answered,
        )
        line = json.dumps(asdict(received)).encode() + b"\n"
        end = self._file.seek(0, os.SEEK_END)
        if self._file.write(line) != len(line):
            self._file.truncate(end)  # No torn line may stay in the middle.
            raise OSError(f"{self._file.name!r} could not be written whole")
        self.messages.append(received)
        return received

    def clear(self) -> None:
        """Forget all, so that a test or a demonstration can begin anew."""
        assert self._file is not None, "the store is not open"
        self._file.truncate(0)
        self.messages.clear()
