"""Runs two sessions or more in every order that keeps each one's own, as PostgreSQL's isolation tester does.

An order is a list of choices, one at each point where more than one session could go on; all of them are tried, depth
first, each on a fresh ledger. A session whose step waits for a lock is left waiting and the others go on. What came of
each order is one line of text; the lines that were seen must be exactly those that are allowed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast

from tests.interleavings.turns import GatedConnection, GatedPool, Standing, Turns
from tournee.db.pool import Pool
from tournee.engine.core.breaker import BreakerPolicy
from tournee.engine.core.errors import LeaseLost
from tournee.engine.ports import LedgerContended
from tournee.engine.postgres.store import PostgresJobStore

C = TypeVar("C")

MAX_ORDERS = 400
"""More would be a race to be told in fewer steps."""
BLOCKED = "SELECT count(*) FROM unnest($1::int[]) AS t (pid) WHERE cardinality(pg_blocking_pids(t.pid)) > 0"
POLICY = BreakerPolicy(threshold=2, probes=1)


@dataclass
class Session:
    """What a session's act gets: the store on its own connection, and its gate for steps outside of PostgreSQL."""

    store: PostgresJobStore
    turns: Turns
    connection: GatedConnection


Act = Callable[[Session, C], Awaitable[str]]
"""What one session does; answers in a word or two what came of it."""


@dataclass
class Race(Generic[C]):
    """`prepare` makes the ledger that all orders begin with, `judge` says in a line what is left of it."""

    prepare: Callable[[], Awaitable[C]]
    acts: Mapping[str, Act[C]]
    judge: Callable[[C], Awaitable[str]]


@dataclass
class _Run:
    """One order, as it is taken."""

    choices: Sequence[int]
    taken: list[tuple[int, int]] = field(default_factory=list)
    trace: list[str] = field(default_factory=list)

    def choose(self, options: int) -> int:
        if options == 1:
            return 0
        place = len(self.taken)
        choice = self.choices[place] if place < len(self.choices) else 0
        self.taken.append((choice, options))
        return choice

    def next_choices(self) -> list[int] | None:
        """The choices of the order that comes after this one; None after the last."""
        for place in range(len(self.taken) - 1, -1, -1):
            choice, options = self.taken[place]
            if choice + 1 < options:
                return [earlier for earlier, _ in self.taken[:place]] + [choice + 1]
        return None


class Explorer:
    """Tries all orders of a race on one database."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.orders = 0

    async def explore(self, race: Race[C]) -> dict[str, str]:
        """Every line that was seen, with the first order that led to it. Raises with the order that failed."""
        seen: dict[str, str] = {}
        choices: list[int] | None = []
        self.orders = 0
        async with AsyncExitStack() as stack:
            connections = [await stack.enter_async_context(self._pool.acquire()) for _ in race.acts]
            while choices is not None:
                self.orders += 1
                assert self.orders <= MAX_ORDERS, "too many orders: tell the race in fewer steps"
                run = _Run(choices)
                try:
                    line = await self._run_once(race, run, connections)
                except Exception as error:
                    error.add_note(f"in the order: {' → '.join(run.trace)}")
                    raise
                seen.setdefault(line, " → ".join(run.trace))
                choices = run.next_choices()
        return seen

    async def _run_once(self, race: Race[C], run: _Run, connections: Sequence[Any]) -> str:
        context = await race.prepare()
        changed = asyncio.Event()
        sessions: list[Session] = []
        tasks: list[asyncio.Task[str]] = []
        for (name, act), connection in zip(race.acts.items(), connections, strict=True):
            turns = Turns(name, changed)
            gated = GatedConnection(connection, turns)
            sessions.append(Session(PostgresJobStore(cast("Pool", GatedPool(gated)), POLICY), turns, gated))
            tasks.append(asyncio.create_task(_perform(act, sessions[-1], context)))
        pids = {session.turns.name: c.get_server_pid() for session, c in zip(sessions, connections, strict=True)}
        turns_of = [session.turns for session in sessions]
        chosen: Turns | None = None
        try:
            while await self._come_to_rest(turns_of, pids, changed):
                if chosen is not None and chosen.standing is Standing.IN_STEP:
                    run.trace[-1] += " (waits)"
                ready = [turns for turns in turns_of if turns.standing is Standing.WAITS_FOR_TURN]
                if not ready:
                    # All that are left wait for each other: PostgreSQL's deadlock detection lets one go.
                    await asyncio.wait([task for task in tasks if not task.done()], timeout=0.05)
                    continue
                chosen = ready[run.choose(len(ready))]
                run.trace.append(f"{chosen.name}: {chosen.step}")
                chosen.give()
            answers = [await task for task in tasks]
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        told = ", ".join(f"{name} {answer}" for name, answer in zip(race.acts, answers, strict=True))
        return f"{told}: {await race.judge(context)}"

    async def _come_to_rest(self, turns: Sequence[Turns], pids: Mapping[str, int], changed: asyncio.Event) -> bool:
        """Wait until each session waits for its turn, for a lock, or is done; answers whether any is not done."""
        while busy := [each for each in turns if each.standing is Standing.IN_STEP]:
            changed.clear()
            try:
                async with asyncio.timeout(0.004):
                    await changed.wait()
            except TimeoutError:
                waiting = await self._pool.fetchval(BLOCKED, [pids[each.name] for each in busy])
                if waiting == len(busy) and not changed.is_set():
                    return True
        return any(each.standing is not Standing.DONE for each in turns)


async def _perform(act: Act[C], session: Session, context: C) -> str:
    try:
        return await act(session, context)
    except LeaseLost:
        return "lost its lease"
    except LedgerContended:
        return "was refused"
    finally:
        session.turns.end()
