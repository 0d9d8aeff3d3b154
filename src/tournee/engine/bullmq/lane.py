"""All that the broker keeps for one queue: its keys, its packed commands, its waiting connection."""

from __future__ import annotations

from dataclasses import dataclass

from tournee.engine.bullmq.channel import Channel
from tournee.engine.bullmq.commands import QueueCommands
from tournee.engine.bullmq.layout import QueueLayout


@dataclass(slots=True)
class Lane:
    """One queue of one broker. `waiting` is the length of its wait list when it was last looked at."""

    layout: QueueLayout
    commands: QueueCommands
    blocking: Channel
    keep_completed: int
    waiting: int = 0
