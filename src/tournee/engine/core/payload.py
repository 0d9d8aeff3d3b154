"""Typed payloads: what a developer declares to get a job.

Owns the bridge from a pydantic model to a `NewJob`. Refuses what the ledger would refuse later: a payload
over 32 KiB, an empty or overlong key, a NUL that jsonb cannot hold. Reads what an older release enqueued, and leaves
alone what a newer one did.
"""

from __future__ import annotations

import copy
import json
from abc import abstractmethod
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from tournee.engine.core.errors import InvalidPayload, PayloadOutdated, UnknownKind
from tournee.engine.core.job import MAX_PAYLOAD_BYTES, NewJob, Priority, QueueName

MAX_KEY_LENGTH = 255


class Payload(BaseModel):
    """Base of all payload types.

    class SyncMailbox(Payload, queue="fetchEmails", kind="sync-mailbox"):
        mailbox_id: int

        def key(self) -> str:
            return str(self.mailbox_id)

    A change that an older payload does not fit gets the next `version`, and `upgrade()` says how to come from the older
    ones. An older worker parks what is newer than it knows.
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

    @classmethod
    def upgrade(cls, data: dict[str, Any], version: int) -> dict[str, Any]:  # noqa: ARG003 — the subclasses' words
        """The payload of an older `version`, as this version has it; validated afterwards. The key stays what it was.

        Called once, with what was enqueued: it brings any older version to the present one. What it raises is a failed
        attempt. `data` is a copy, and may be changed and returned. Hooks (`on_dead` and the like) get the upgraded
        payload too; where the upgrade fails, the payload as it was enqueued, with its `version`.
        """
        raise PayloadOutdated(
            f"the job is of version {version}, {cls.__name__} of version {cls.version}: "
            f"define {cls.__name__}.upgrade(data, version)"
        )


def read_payload(payload_type: type[Payload], data: Mapping[str, Any], version: int) -> Payload:
    """A typed payload from a row, brought up to the present version. Raises `UnknownKind` for a newer one, pydantic's
    `ValidationError`, and whatever `upgrade()` raises.
    """
    if version > payload_type.version:
        raise UnknownKind(f"kind {payload_type.kind!r} version {version} is newer than this process: parked")
    if version < payload_type.version:
        return payload_type.model_validate(payload_type.upgrade(copy.deepcopy(dict(data)), version))
    return payload_type.model_validate(data)


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
