"""The life of a job as its page tells it, held to what the statements of the ledger do."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.invariants.checks_ledger import WAYS_OUT
from tests.support.invariants.evidence import LIVE
from tests.support.invariants.transitions import (
    COUNTERS,
    NOWHERE,
    WRONG,
    Transition,
    find_transitions,
    list_writers,
    seed_states,
)
from tournee.db.pool import Connection, PoolSettings, open_pool
from tournee.engine.core.job import JobState

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "state_machine.md").read_text(encoding="utf-8")
FENCES = ("`lease`", "`dispatch`")


@pytest.fixture
async def ledger(database_url: str) -> AsyncIterator[Connection]:
    """A row in every state; nothing of it is committed."""
    pool = await open_pool(PoolSettings(database_url, min_size=1, max_size=1))
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await seed_states(connection)
        yield connection
        await transaction.rollback()
    await pool.close()


def read_table() -> dict[Transition, tuple[str, set[str]]]:
    """The page's transitions, each with its guard and the counters that it names."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line[:1] == "|"]
    states = {f"`{state}`" for state in JobState} | {NOWHERE}
    return {
        Transition(old.strip("`"), new.strip("`"), statement.strip("`")): (
            guard,
            {name for name in COUNTERS if f"`{name}`" in counts},
        )
        for old, new, statement, _, guard, counts in rows
        if old in states
    }


async def test_the_page_names_each_way_in_which_a_statement_moves_a_job_and_no_other(ledger: Connection) -> None:
    told = {transition: counts for transition, (_, counts) in read_table().items()}
    found: dict[Transition, set[str]] = {}
    for statement in list_writers():
        found |= {
            transition: counts
            for transition, counts in (await find_transitions(ledger, statement)).items()
            if transition.old != transition.new
        }
    assert sorted(map(str, told)) == sorted(map(str, found))
    assert told == found


async def test_a_statement_that_is_fenced_changes_nothing_for_another_lease_or_dispatch(ledger: Connection) -> None:
    fenced = {transition.statement for transition, (guard, _) in read_table().items() if guard.startswith(FENCES)}
    moving = {statement for statement in list_writers() if await find_transitions(ledger, statement, WRONG)}
    assert fenced & moving == set()
    told = {transition.statement for transition in read_table()}
    assert fenced | moving >= told, "a statement without a fence moves rows whoever asks"


def test_the_diagram_shows_the_states_of_the_table() -> None:
    edges = re.findall(r"^    (\S+) --> (\S+):", PAGE, re.MULTILINE)
    drawn = {(old.replace("[*]", NOWHERE), new.replace("[*]", NOWHERE)) for old, new in edges}
    assert drawn == {(transition.old, transition.new) for transition in read_table()}


def test_the_check_of_live_states_knows_the_same_ways_out() -> None:
    assert {(row.old, row.new) for row in read_table() if row.old in LIVE} == WAYS_OUT
