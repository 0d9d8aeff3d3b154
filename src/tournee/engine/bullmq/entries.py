"""What a job's hash says in Redis: the texts that Bull Board shows, all of them bounded.

Nothing that runs is read from here: the payload of a claim comes from the ledger. It refuses to let a text grow
without bound, or to hold what JSON or MessagePack can't carry.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tournee.engine.core.job import DeadJob, Dispatchable, QueueName

MAX_PAYLOAD_BYTES = 2 * 1024
MAX_STACK_TRACES = 5
MAX_STACK_BYTES = 4 * 1024
MAX_REASON_BYTES = 1024
MAX_LOG_LINE_BYTES = 4 * 1024
MAX_RETURN_BYTES = 1024

_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, default=str)
encode_json = _ENCODER.encode


@dataclass(frozen=True, slots=True)
class Entry:
    """One job as it is added to a queue. `annotations` are hash fields beside those that BullMQ's add writes."""

    raw_id: str
    name: str
    data: bytes
    timestamp_ms: int
    max_attempts: int
    front: bool = False
    annotations: tuple[str | int, ...] = ()


def make_entry(job: Dispatchable) -> Entry:
    """The entry of a dispatch; that of a repeated one shows attempts made and earlier stack traces."""
    data = {"key": job.key, "tenant": job.tenant, "payload": bound_payload(job.payload), "attempt": job.attempt}
    if job.trace_context is not None:
        data["trace"] = job.trace_context
    annotations: tuple[str | int, ...] = ()
    if job.attempt or job.earlier_errors:
        annotations = ("atm", job.attempt, "stacktrace", encode_stack_traces(job.earlier_errors))
    return Entry(
        raw_id=str(job.id),
        name=job.kind,
        data=encode_bytes(data),
        timestamp_ms=to_milliseconds(job.created_at),
        max_attempts=job.max_attempts,
        front=job.front,
        annotations=annotations,
    )


def make_dead_entry(dead: DeadJob) -> Entry:
    """The entry of a dead job in the dead-letter queue, named after the queue in which it died."""
    reason = bound_text(f"{dead.error.error_class}: {dead.error.message}", MAX_REASON_BYTES)
    data = {
        "jobId": dead.job_id,
        "queue": dead.queue,
        "key": dead.key,
        "kind": dead.kind,
        "tenant": dead.tenant,
        "payload": bound_payload(dead.payload),
        "error": reason,
        "attempts": dead.attempt,
        "crashes": dead.crashes,
        "diedAt": dead.died_at.isoformat(),
        "trace": dead.trace_context,
    }
    traces = encode_stack_traces([dead.error.stack or reason])
    return Entry(
        raw_id=make_dead_id(dead),
        name=QueueName(dead.queue),
        data=encode_bytes(data),
        timestamp_ms=to_milliseconds(dead.died_at),
        max_attempts=max(dead.attempt, 1),
        annotations=("atm", dead.attempt, "failedReason", reason, "stacktrace", traces),
    )


def make_dead_id(dead: DeadJob) -> str:
    """The id of a dead job's entry in the dead-letter queue."""
    return f"d{dead.job_id}-{dead.dispatch}"


def bound_payload(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """The payload itself, or how many bytes of JSON were left out."""
    size = len(encode_bytes(payload))
    return payload if size <= MAX_PAYLOAD_BYTES else {"truncated": size}


def encode_bytes(value: object) -> bytes:
    """JSON as UTF-8. A lone surrogate, which UTF-8 can't carry, becomes JSON's own escape of it."""
    return encode_json(value).encode("utf-8", "backslashreplace")


def encode_stack_traces(traces: Sequence[str]) -> str:
    """The last few stack traces as the JSON list that BullMQ keeps, the end of each, where the error is named."""
    last = [bound_text(trace, MAX_STACK_BYTES, keep_end=True) for trace in traces[-MAX_STACK_TRACES:]]
    return encode_json(last)


def bound_text(text: str, max_bytes: int, *, keep_end: bool = False) -> str:
    """`text` cut to `max_bytes` of UTF-8, an ellipsis where something is missing, and free of lone surrogates."""
    encoded = text.encode("utf-8", "backslashreplace")
    if len(encoded) <= max_bytes:
        return encoded.decode()
    room = max_bytes - len("…".encode())
    kept = encoded[-room:] if keep_end else encoded[:room]
    shown = kept.decode("utf-8", "ignore")
    return f"…{shown}" if keep_end else f"{shown}…"


def to_milliseconds(moment: datetime) -> int:
    """Milliseconds since 1970, as BullMQ writes times."""
    return int(moment.timestamp() * 1000)
