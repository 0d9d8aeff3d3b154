"""What was enqueued, looked up in the ledger, and said in full where it is not what a test expects."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

from tournee.db.pool import Connection, Pool
from tournee.engine.client import Engine, JobState, Transaction
from tournee.engine.core.payload import Payload, read_payload
from tournee.engine.testing.sql import SQL

P = TypeVar("P", bound=Payload)

Ledger: TypeAlias = Engine | Pool | Connection | Transaction
"""Where to look. A connection or transaction sees also what it has enqueued and not committed yet."""

Where: TypeAlias = Mapping[str, Any] | Callable[[P], bool] | None
"""Which payloads: fields with the values they must have, or a condition; None: all of the type."""

LIVE = (JobState.PENDING, JobState.QUEUED, JobState.RUNNING)
MAX_JOBS = 10_000
SHOWN = 30


async def assert_enqueued(
    ledger: Ledger,
    payload_type: type[P],
    where: Where[P] = None,
    count: int | None = None,
    states: Sequence[JobState] = LIVE,
) -> list[P]:
    """The payloads of the jobs of this type, oldest first: at least one, or exactly `count`.

    Looks at live jobs, due or not, unless `states` says otherwise. Raises AssertionError with all that is there.
    """
    rows = await _list_enqueued(ledger, states)
    found = _select(rows, payload_type, where)
    if count is None and found:
        return found
    if count is not None and len(found) == count:
        return found
    wanted = "at least one" if count is None else str(count)
    raise AssertionError(
        f"expected {wanted} of {_name(payload_type, where)}, found {len(found)}; {_list_rows(rows, states)}"
    )


async def assert_not_enqueued(
    ledger: Ledger, payload_type: type[P], where: Where[P] = None, states: Sequence[JobState] = LIVE
) -> None:
    """No such job is there. Raises AssertionError with all that is there."""
    rows = await _list_enqueued(ledger, states)
    found = _select(rows, payload_type, where)
    if found:
        raise AssertionError(
            f"expected no {_name(payload_type, where)}, found {len(found)}; {_list_rows(rows, states)}"
        )


def _select(rows: Sequence[Mapping[str, Any]], payload_type: type[P], where: Where[P]) -> list[P]:
    """Only those are read as this type that can be told by it."""
    found = []
    for row in rows:
        if row["kind"] != payload_type.kind or row["queue"] != payload_type.queue_name:
            continue
        payload = read_payload(payload_type, _as_object(row["payload"]), row["version"])
        assert isinstance(payload, payload_type)
        if _matches(payload, where):
            found.append(payload)
    return found


def _matches(payload: P, where: Where[P]) -> bool:
    if where is None:
        return True
    if isinstance(where, Mapping):
        unknown = where.keys() - type(payload).model_fields.keys()
        if unknown:
            raise ValueError(f"{type(payload).__name__} has no field {', '.join(sorted(unknown))}")
        return all(getattr(payload, name) == value for name, value in where.items())
    return where(payload)


async def _list_enqueued(ledger: Ledger, states: Sequence[JobState]) -> Sequence[Mapping[str, Any]]:
    source: Any = ledger.store.session.pool if isinstance(ledger, Engine) else ledger
    # A transaction of the engine's has a connection; a pool and a connection are asked themselves.
    source = getattr(source, "connection", source) if not hasattr(source, "fetch") else source
    rows: Sequence[Mapping[str, Any]] = await source.fetch(SQL["list_enqueued"], [str(s) for s in states], MAX_JOBS + 1)
    if len(rows) > MAX_JOBS:
        # Nothing can be said of jobs that were not looked at.
        raise ValueError(f"more than {MAX_JOBS} jobs are {', '.join(states)}: drain some, or ask for fewer states")
    return rows


def _as_object(payload: Any) -> dict[str, Any]:
    # A connection that somebody else opened gives jsonb as text.
    value: dict[str, Any] = json.loads(payload) if isinstance(payload, str) else dict(payload)
    return value


def _name(payload_type: type[Payload], where: object) -> str:
    told = payload_type.__name__
    if isinstance(where, Mapping):
        return f"{told} where {', '.join(f'{name} is {value!r}' for name, value in where.items())}"
    return told if where is None else f"{told} that fit the condition"


def _list_rows(rows: Sequence[Mapping[str, Any]], states: Sequence[JobState]) -> str:
    told = ", ".join(states)
    if not rows:
        return f"no job is {told}"
    lines = [
        f"  {row['kind']} {json.dumps(_as_object(row['payload']), ensure_ascii=False)} in {row['queue']}, "
        f"key {row['key']!r}, {row['state']}, from {row['run_at']:%Y-%m-%d %H:%M:%S %Z}"
        for row in rows[:SHOWN]
    ]
    rest = f"\n  and {len(rows) - SHOWN} more" if len(rows) > SHOWN else ""
    return f"these are {told}:\n" + "\n".join(lines) + rest
