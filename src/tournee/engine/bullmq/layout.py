"""Where BullMQ keeps a queue in Redis, and what its clients are called.

Owns the key lists of BullMQ's scripts, in the order in which the scripts want them, made once per queue. The key
names themselves are BullMQ's; only the epoch's key is ours.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass

from bullmq.queue_keys import QueueKeys

from tournee.engine.core.job import DispatchId, QueueName

_MAX_BIGINT = 2**63 - 1
_MAX_INT = 2**31 - 1

_ADD = ("wait", "paused", "meta", "id", "completed", "delayed", "active", "events", "marker")
_FETCH = (
    "wait", "active", "prioritized", "events", "stalled", "limiter", "delayed", "paused", "meta", "pc", "marker",
)  # fmt: skip
_FINISH = ("wait", "active", "prioritized", "events", "stalled", "limiter", "delayed", "paused", "meta", "pc")
_DISCARD = (
    "wait", "active", "paused", "delayed", "prioritized", "completed", "failed", "waiting-children", "stalled",
    "events",
)  # fmt: skip
_SNAPSHOT = ("wait", "paused", "prioritized", "active", "delayed", "waiting-children")


@dataclass(frozen=True, slots=True)
class QueueLayout:
    """The keys of one queue. `base` ends with a colon and is the prefix of every job's key."""

    queue: QueueName
    base: str
    names: dict[str, str]
    epoch: str
    add: tuple[str, ...]
    fetch: tuple[str, ...]
    finish: tuple[str, ...]
    """Without the four keys that depend on the job: target set, job, metrics, marker."""
    discard: tuple[str, ...]
    snapshot: tuple[str, ...]

    def job(self, raw_id: str) -> str:
        """The key of a job's hash."""
        return self.base + raw_id


def make_layout(prefix: str, queue: QueueName) -> QueueLayout:
    """The keys of `queue` under `prefix`, by BullMQ's own naming."""
    names: dict[str, str] = QueueKeys(prefix).getKeys(queue)
    epoch = names[""] + "tournee-epoch"

    def pick(wanted: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(names[name] for name in wanted)

    return QueueLayout(
        queue=queue,
        base=names[""],
        names=names,
        epoch=epoch,
        add=pick(_ADD),
        fetch=pick(_FETCH),
        finish=pick(_FINISH),
        discard=pick(_DISCARD),
        snapshot=(*pick(_SNAPSHOT), epoch),
    )


def make_client_name(prefix: str, queue: QueueName, worker_name: str) -> str:
    """The client name by which Node's BullMQ, and so Bull Board, counts a queue's workers.

    BullMQ for Python leaves the queue's name plain and is not counted; Node encodes it, and so do we.
    """
    encoded = base64.b64encode(queue.encode()).decode()
    # The server refuses blanks and anything beyond printable ASCII in a client's name.
    suffix = re.sub(r"[^!-~]", "-", worker_name)
    return f"{prefix}:{encoded}:w:{suffix}" if suffix else f"{prefix}:{encoded}"


def parse_entry_id(raw_id: str) -> DispatchId | None:
    """The dispatch that an entry stands for; None for an id that the engine did not make.

    Stricter than the pattern: an id that is written otherwise than we write it (leading zeros), or that fits no
    column of the ledger, is foreign. One such id must not fail a claim of many.
    """
    parsed = DispatchId.parse(raw_id)
    if parsed is None or parsed.job_id > _MAX_BIGINT or parsed.dispatch > _MAX_INT or str(parsed) != raw_id:
        return None
    return parsed
