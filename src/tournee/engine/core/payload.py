"""Typed payloads: what a developer declares to get a job.

Owns the bridge from a pydantic model to a `NewJob`. Refuses what the ledger would refuse later: a payload
over 32 KiB, an empty or overlong key, a NUL that jsonb cannot hold.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from datetime import datetime, timedelta
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from tournee.engine.core.errors import InvalidPayload
from tournee.engine.core.job import MAX_PAYLOAD_BYTES, NewJob, Priority, QueueName

MAX_KEY_LENGTH = 255


class Payload(BaseModel):
    """Base of all payload types.

    class SyncMailbox(Payload, queue="fetchEmails", kind="sync-mailbox"):
        mailbox_id: int

        def key(self) -> str:
            return str(self.mailbox_id)
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    queue_name: ClassVar[QueueName]
    kind: ClassVar[str]
    version: ClassVar[int]
    max_attempts: ClassVar[int]

    def __init_subclass__(
        cls, *, queue: str = "", kind: str = "", version: int = 1, max_attempts: int = 3, **kwargs: object
    ) -> None:
        super().__init_subclass__(**kwargs)  # type: ignore[arg-type]
        if queue:
            cls.queue_name = QueueName(queue)
            cls.kind = kind or cls.__name__
            cls.version = version
            cls.max_attempts = max_attempts

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: object) -> None:
        """Swallow our class keywords, which pydantic hands on."""

    @abstractmethod
    def key(self) -> str:
        """The idempotency key within the queue: 1 to 255 characters. Two payloads of one key are one job."""
        raise NotImplementedError(f"{type(self).__name__} must define key()")

    def tenant(self) -> str:
        """Whose job it is; tenants take turns in a queue. Default: one tenant for all."""
        return ""


def to_new_job(
    payload: Payload,
    *,
    delay: timedelta = timedelta(0),
    run_at: datetime | None = None,
    priority: Priority = Priority.NORMAL,
    trace_context: str | None = None,
) -> NewJob:
    """Turn a payload into a row to insert. Raises `InvalidPayload` with what to change."""
    name = type(payload).__name__
    key, tenant = payload.key(), payload.tenant()
    if not 1 <= len(key) <= MAX_KEY_LENGTH or not _is_storable(key):
        raise InvalidPayload(f"{name}.key() must give 1 to {MAX_KEY_LENGTH} characters without NUL, not {key[:40]!r}")
    if len(tenant) > MAX_KEY_LENGTH or not _is_storable(tenant):
        raise InvalidPayload(f"{name}.tenant() must give at most {MAX_KEY_LENGTH} characters without NUL")
    if run_at is not None and run_at.tzinfo is None:
        raise InvalidPayload(f"run_at of {name} must have a time zone")
    data = payload.model_dump(mode="json")
    _refuse_unstorable(name, data)
    return NewJob(
        queue=type(payload).queue_name,
        key=key,
        kind=type(payload).kind,
        version=type(payload).version,
        payload=data,
        tenant=tenant,
        priority=priority,
        delay=delay,
        run_at=run_at,
        max_attempts=type(payload).max_attempts,
        trace_context=trace_context,
    )


def _refuse_unstorable(name: str, data: dict[str, Any]) -> None:
    try:
        text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(", ", ": "))
    except ValueError as error:
        raise InvalidPayload(f"{name} holds a number that JSON has no word for: {error}") from error
    # An escaped backslash before u0000 is no NUL.
    if "\\u0000" in text.replace("\\\\", "") or not _is_storable(text):
        raise InvalidPayload(f"{name} holds a NUL or a lone surrogate, which PostgreSQL cannot store")
    if len(text.encode()) > MAX_PAYLOAD_BYTES - 1024:
        raise InvalidPayload(f"{name} is larger than {MAX_PAYLOAD_BYTES // 1024 - 1} KiB: put ids in it, not contents")


def _is_storable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\x00" not in text
