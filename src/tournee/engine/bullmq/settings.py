"""What the dispatcher can be told. Owns the figures that bound memory and time in Redis; reads no environment."""

from __future__ import annotations

from dataclasses import dataclass, field

from tournee.engine.core.job import DEAD_LETTERS, QueueName


@dataclass(frozen=True, slots=True)
class BrokerSettings:
    """Settings of one process's broker; the defaults are those of DESIGN section 4.

    `redis_url` may hold a password and is never shown. `worker_name` is what Bull Board shows as the worker.
    """

    redis_url: str = field(repr=False)
    prefix: str = "bull"
    worker_name: str = ""
    lock_duration_ms: int = 30_000
    """How long a fetched job counts as held unless its lock is renewed."""
    command_timeout_seconds: float = 5.0
    """Deadline of one round trip; a blocking wait has it on top of its own length."""
    connect_timeout_seconds: float = 2.0
    keep_completed: int = 100
    keep_failed: int = 1_000
    keep_events: int = 1_000
    """Length of BullMQ's event stream, about."""
    keep_log_lines: int = 100
    metrics_minutes: int = 7 * 24 * 60
    """Data points, one a minute, of the charts in Bull Board; 0 turns them off."""
    dead_letter_queue: QueueName = DEAD_LETTERS
    work_queues: tuple[QueueName, ...] = ()
    """Queues whose failed sets the dead-letter projection prunes, beside those that this broker has met."""
    prune_grace_ms: int = 2_000
    """Age below which an entry of a failed set is left alone: its death may be younger than the list of the dead."""
