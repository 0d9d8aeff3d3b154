"""The provider breakers: rows that relay and claim check.

Keeps principle 4 (an outage is not a poisoned job). The rules are in `core.breaker`; here the row is locked, the rule
applied and the row written in one transaction, so that all processes count together.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from tournee.engine.core.breaker import BreakerPolicy, BreakerState
from tournee.engine.ports import ProviderRow
from tournee.engine.postgres.rows import to_provider
from tournee.engine.postgres.session import SQL, Session
from tournee.engine.postgres.texts import clean_text


class BreakerStore:
    """The breakers' part of the ledger."""

    def __init__(self, session: Session, policy: BreakerPolicy) -> None:
        self._session = session
        self._policy = policy

    async def note_outage(self, provider: str, reason: str, retry_after: timedelta | None) -> str:
        """See the port."""
        # What a provider answers may hold what no text of PostgreSQL can: it counts all the same.
        reason = clean_text(reason)
        async with self._session.transaction() as connection:
            await connection.execute(SQL.insert_provider, provider)
            row = await connection.fetchrow(SQL.lock_provider, provider)
            assert row is not None
            state = BreakerState(row["state"])
            failures = row["failures"] + 1
            if state is BreakerState.OPEN:
                # A straggler that was running when the breaker opened tells nothing new; it must not count as one more
                # opening, but the provider may have named a later time to it.
                if retry_after is not None:
                    await connection.execute(SQL.extend_opening, provider, retry_after)
                return state
            if not self._policy.opens(state, failures, retry_after):
                await connection.execute(
                    SQL.write_provider, provider, state, failures, row["openings"], row["successes"], reason, None
                )
                return state
            openings = row["openings"] + 1
            open_for = self._policy.open_for(openings, retry_after)
            await connection.execute(
                SQL.write_provider, provider, BreakerState.OPEN, failures, openings, 0, reason, open_for
            )
            return BreakerState.OPEN

    async def note_success(self, provider: str) -> str:
        """See the port."""
        async with self._session.transaction() as connection:
            row = await connection.fetchrow(SQL.lock_provider, provider)
            if row is None:
                return BreakerState.CLOSED
            state = BreakerState(row["state"])
            if state is BreakerState.OPEN:
                return state
            successes = row["successes"] + 1
            if state is BreakerState.HALF_OPEN and not self._policy.closes(successes):
                await connection.execute(
                    SQL.write_provider, provider, state, row["failures"], row["openings"], successes, None, None
                )
                return state
            await connection.execute(SQL.write_provider, provider, BreakerState.CLOSED, 0, 0, 0, None, None)
            return BreakerState.CLOSED

    async def close_unguarded_breakers(self) -> Sequence[str]:
        """See the port."""
        return [row["name"] for row in await self._session.fetch(SQL.close_unguarded_breakers)]

    async def read_providers(self) -> Sequence[ProviderRow]:
        """See the port."""
        return [to_provider(row) for row in await self._session.fetch(SQL.read_providers, prompt=True)]
