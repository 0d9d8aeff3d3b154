"""What every statement of the engine can do to a job, found by running it against rows in every state.

Owns no list of statements: each query file that writes `engine.jobs` is run, so a new one can't be forgotten. Its
arguments are made from the types that PostgreSQL says it wants; only where a type does not tell is it said here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from tournee.db.pool import Connection
from tournee.engine.core.job import AGEING_INTERVAL
from tournee.engine.postgres.session import SQL

WRITES = re.compile(r"\b(?:UPDATE|INSERT INTO|DELETE FROM) engine\.jobs\b")
COUNTERS = ("dispatch", "lease", "attempt", "crashes", "outages", "snoozes")
NOWHERE = "–"
"""The state of a row that is not there yet, or no more."""

RIGHT, WRONG = 1, 2
"""Every row is at dispatch 1 and lease 1."""

SEED = """
INSERT INTO engine.jobs (queue, key, kind, payload, state, rank, dispatch, lease, attempt, crashes, max_attempts, alone,
                         cancel_requested, worker_id, run_at, started_at, deadline_at, finished_at, dispatched_at)
SELECT 'work', key, 'work', '{}', state::engine.job_state, now(), 1, 1, attempt, crashes, 3, alone, cancel,
       '00000000-0000-0000-0000-000000000001', now() - interval '1 hour', now(), now(),
       CASE WHEN state IN ('completed', 'dead', 'cancelled') THEN now() - interval '1 year' END, now()
FROM (VALUES ('pending', 'pending', 1, 1, false, false), ('queued', 'queued', 1, 1, false, false),
             ('running', 'running', 1, 1, false, false), ('last attempt', 'running', 2, 0, false, false),
             ('alone', 'running', 0, 0, true, false), ('asked to stop', 'running', 0, 0, false, true),
             ('completed', 'completed', 0, 0, false, false), ('dead', 'dead', 3, 1, false, false),
             ('cancelled', 'cancelled', 0, 0, false, false)) AS t (key, state, attempt, crashes, alone, cancel)
"""
PLACES = """
INSERT INTO engine.ready (job_id, queue, tenant, rank, run_at, urgent, due)
    SELECT id, queue, tenant, rank, run_at, false, true FROM engine.jobs WHERE state = 'pending';
INSERT INTO engine.inflight (queue, job_id)
    SELECT queue, id FROM engine.jobs WHERE state IN ('queued', 'running');
INSERT INTO engine.dead (job_id, queue) SELECT id, queue FROM engine.jobs WHERE state = 'dead';
"""
ROWS = f"SELECT id, state::text, {', '.join(COUNTERS)} FROM engine.jobs"

SAID: dict[tuple[str, int], Any] = {
    ("prune_finished", 1): 0,
    ("prune_finished", 2): 1_000,
    ("put_off_jobs", 3): timedelta(hours=1),
    **{("mark_queued", place): None for place in (7, 8, 9)},
}
"""What the type of an argument does not tell, by statement and place."""

KNOWN: dict[str, Any] = {
    **dict.fromkeys(("int8[]", "int4[]", "bool[]", "int4", "int8")),
    "text": "work",
    "text[]": [],
    "uuid": UUID(int=1),
    "interval": timedelta(minutes=1),
    "bool": False,
    "float8": 1.0,
}
"""What every other argument of a type gets; ids, fences and marks are made for the rows."""
ELEMENTS: dict[str, Any] = {
    "text[]": "work",
    "int2[]": 1,
    "jsonb[]": {},
    "timestamptz[]": None,
    "interval[]": timedelta(0),
}
"""One job for the insert, by the type of the column."""


@dataclass(frozen=True, slots=True, order=True)
class Transition:
    """One way that one statement moves a row."""

    old: str
    new: str
    statement: str

    def __str__(self) -> str:
        return f"{self.old} → {self.new} by {self.statement}"


def list_writers() -> list[str]:
    """Every query that writes a row of `engine.jobs`."""
    return sorted(name for name, text in SQL.items() if WRITES.search(text))


async def seed_states(connection: Connection) -> None:
    """A row in every state, running ones in several conditions, each at dispatch 1 and lease 1."""
    await connection.execute("INSERT INTO engine.queues (name) VALUES ('work') ON CONFLICT DO NOTHING")
    await connection.execute(SEED)
    await connection.execute(PLACES)


async def find_transitions(connection: Connection, statement: str, fence: int = RIGHT) -> dict[Transition, set[str]]:
    """How a statement moves the seeded rows, and which counters it changes; all of it is rolled back.

    `fence` is the dispatch or lease that it is given. A statement of one job is run for each.
    """
    found: dict[Transition, set[str]] = {}
    before = {row["id"]: row for row in await connection.fetch(ROWS)}
    types = [kind.name for kind in (await connection.prepare(SQL[statement])).get_parameters()]
    for arguments in _make_arguments(statement, types, list(before), fence):
        savepoint = connection.transaction()
        await savepoint.start()
        await connection.fetch(SQL[statement], *arguments)
        after = {row["id"]: row for row in await connection.fetch(ROWS)}
        await savepoint.rollback()
        for job_id in before.keys() | after.keys():
            old, new = before.get(job_id), after.get(job_id)
            if old == new:
                continue
            moved = Transition(old["state"] if old else NOWHERE, new["state"] if new else NOWHERE, statement)
            counted = {name for name in COUNTERS if old and new and old[name] != new[name]}
            found.setdefault(moved, set()).update(counted)
    return found


def _make_arguments(statement: str, types: Sequence[str], ids: Sequence[int], fence: int) -> Iterator[list[Any]]:
    if statement == "insert_jobs":
        yield [[ELEMENTS[name]] if name.endswith("[]") else AGEING_INTERVAL for name in types]
    elif types[0] == "int8" and (statement, 1) not in SAID:
        for job_id in ids:
            yield [job_id, *_make_rest(statement, types, ids, fence, first=2)]
    else:
        yield _make_rest(statement, types, ids, fence, first=1)


def _make_rest(statement: str, types: Sequence[str], ids: Sequence[int], fence: int, first: int) -> list[Any]:
    places = list(enumerate(types, start=1))[first - 1 :]
    unknown = {name for place, name in places if (statement, place) not in SAID and name not in KNOWN}
    assert not unknown, f"say here what {statement}.sql gets for its {unknown}"
    return [
        SAID[statement, place] if (statement, place) in SAID else _make_value(name, ids, fence)
        for place, name in places
    ]


def _make_value(name: str, ids: Sequence[int], fence: int) -> Any:
    match name:
        case "int8[]":
            return list(ids)
        case "int4[]":
            return [fence] * len(ids)
        case "bool[]":
            return [True] * len(ids)
        case "int4" | "int8":
            return fence
        case _:
            return KNOWN[name]
