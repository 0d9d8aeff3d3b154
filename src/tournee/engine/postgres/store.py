"""The ledger, whole: one class that keeps `engine.ports.JobStore` out of its parts."""

from __future__ import annotations

from tournee.db.pool import Pool
from tournee.engine.core.breaker import BreakerPolicy
from tournee.engine.postgres.breakers import BreakerStore
from tournee.engine.postgres.claims import ClaimStore
from tournee.engine.postgres.dispatch import DispatchStore
from tournee.engine.postgres.operations import OperationsStore
from tournee.engine.postgres.reconciliation import ReconciliationStore
from tournee.engine.postgres.schedules import ScheduleLedger
from tournee.engine.postgres.session import Session
from tournee.engine.postgres.workers import WorkerStore


class PostgresJobStore(
    DispatchStore, ClaimStore, WorkerStore, ReconciliationStore, BreakerStore, OperationsStore, ScheduleLedger
):
    """Keeps `JobStore` on a pool that somebody else opens and closes."""

    def __init__(self, pool: Pool, breakers: BreakerPolicy | None = None) -> None:
        self._session = Session(pool)
        self._policy = breakers or BreakerPolicy()

    @property
    def session(self) -> Session:
        """For transactions that only enqueue."""
        return self._session
