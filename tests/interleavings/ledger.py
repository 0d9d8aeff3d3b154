"""The ledger before a race, and what is said of it afterwards. One job, unless a test asks for more.

The states are reached by the store's own calls, so that a race begins where real life would.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from tests.interleavings.explorer import POLICY
from tests.support.engine import OPERATOR, WORK, Work
from tournee.db.pool import Pool
from tournee.engine.core.job import ClaimedJob, DispatchId, Failure, JobId, WorkerId
from tournee.engine.ports import QueueDeclaration, Room, WorkerRow
from tournee.engine.postgres.enqueue import open_transaction
from tournee.engine.postgres.store import PostgresJobStore

ANN, BEN = WorkerId(UUID(int=1)), WorkerId(UUID(int=2))
PROVIDER = "provider"
ROOM = Room(10)
LIMIT = timedelta(minutes=5)
FAILURE = Failure("ValueError", "no", "")
NOW = timedelta(0)

EMPTY = """
DELETE FROM effects; DELETE FROM engine.job_attempts; DELETE FROM engine.ready; DELETE FROM engine.inflight;
DELETE FROM engine.dead; DELETE FROM engine.jobs; DELETE FROM engine.workers; DELETE FROM engine.audit_log;
UPDATE engine.providers SET state = 'closed', failures = 0, openings = 0, successes = 0, opened_at = NULL,
    retry_at = NULL, changed_at = now() - interval '1 day';
UPDATE engine.queues SET paused = false, tenant_cursor = ''
"""
WRONG = """
SELECT j.id, j.state::text FROM engine.jobs j
WHERE (SELECT count(*) FROM engine.ready r WHERE r.job_id = j.id) <> (j.state = 'pending')::int
   OR (SELECT count(*) FROM engine.inflight f WHERE f.job_id = j.id) <> (j.state IN ('queued', 'running'))::int
   OR (SELECT count(*) FROM engine.dead d WHERE d.job_id = j.id) <> (j.state = 'dead')::int
UNION ALL
SELECT n.job_id, 'no row' FROM (SELECT job_id FROM engine.ready UNION ALL SELECT job_id FROM engine.inflight
                                UNION ALL SELECT job_id FROM engine.dead) n
WHERE NOT EXISTS (SELECT FROM engine.jobs j WHERE j.id = n.job_id)
"""


@dataclass
class Before:
    """What a race begins with: the jobs' ids, their dispatches and, where they run, their claims."""

    job_ids: list[JobId]
    dispatches: list[DispatchId] = field(default_factory=list)
    claims: Sequence[ClaimedJob] = ()
    sentinel: int | None = None
    """The epoch in Redis; None: Redis is empty."""

    @property
    def claim(self) -> ClaimedJob:
        return self.claims[0]


class Ledger:
    """Makes the states that races begin with."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.store = PostgresJobStore(pool, POLICY)

    async def open(self) -> None:
        await self.pool.execute(
            "CREATE TABLE IF NOT EXISTS effects (id bigserial PRIMARY KEY, text text NOT NULL)",
        )
        await self.store.declare_queues([QueueDeclaration(WORK, provider=PROVIDER)])

    # --- before

    async def make_empty(self) -> Before:
        await self.pool.execute(EMPTY)
        return Before([])

    async def make_pending(self, jobs: int = 1) -> Before:
        await self.make_empty()
        async with open_transaction(self.store.session) as tx:
            answers = await tx.enqueue_many([Work(n=n, who=f"tenant {n}") for n in range(jobs)])
        return Before([answer.job_id for answer in answers])

    async def make_scheduled(self) -> Before:
        """Pending, its time has come, and not promoted yet."""
        before = await self.make_pending()
        await self.pool.execute("UPDATE engine.ready SET due = false")
        return before

    async def make_queued(self) -> Before:
        before = await self.make_pending()
        marked = await self.store.mark_queued(WORK, ROOM)
        before.dispatches = [job.id for job in marked.jobs]
        return before

    async def make_queued_again(self) -> Before:
        """Queued by its second dispatch; `dispatches` holds the first."""
        before = await self.make_queued()
        await self.store.return_queued(before.dispatches)
        await self.store.mark_queued(WORK, ROOM)
        return before

    async def make_running(self, failed: int = 0) -> Before:
        """Running on Ann's worker; `failed` attempts are used up already, of three."""
        before = await self.make_queued()
        await self.pool.execute("UPDATE engine.jobs SET attempt = $1", failed)
        await self.announce(ANN)
        await self.announce(BEN)
        before.claims = await self.store.claim_jobs(before.dispatches, ANN, LIMIT)
        return before

    async def make_orphaned(self) -> Before:
        """Running on Ann's worker, which is known to be dead."""
        before = await self.make_running()
        await self.store.forget_workers([ANN])
        return before

    async def make_doomed(self) -> Before:
        """An orphan that ran alone when its worker died, for the second time."""
        before = await self.make_orphaned()
        await self.pool.execute("UPDATE engine.jobs SET suspect = true, alone = true, crashes = 1")
        return before

    async def make_dead(self) -> Before:
        """Dead; `claims` is what its worker held."""
        before = await self.make_running(failed=2)
        await self.store.fail_job(before.claim, FAILURE, "failed", NOW, None)
        return before

    async def make_old(self) -> Before:
        """Cancelled, and older than the horizon."""
        before = await self.make_pending()
        await self.store.cancel_jobs(before.job_ids, OPERATOR, lambda _kind: None)
        await self.pool.execute("UPDATE engine.jobs SET finished_at = now() - interval '60 days'")
        return before

    async def make_outage(self) -> Before:
        """One queued and two pending jobs; the provider's breaker is open and its time has come."""
        before = await self.make_pending(jobs=3)
        marked = await self.store.mark_queued(WORK, Room(1))
        before.dispatches = [job.id for job in marked.jobs]
        await self.store.note_outage(PROVIDER, "down", timedelta(seconds=1))
        await self.pool.execute("UPDATE engine.providers SET retry_at = now()")
        return before

    async def announce(self, worker: WorkerId) -> None:
        now = datetime.now(UTC)
        await self.store.register_worker(WorkerRow(worker, "", "", 0, {}, 0, now, now, False, False))

    # --- after

    async def judge(self, before: Before) -> str:
        """Each job's state, lease, dispatch and failed attempts, and how many effects there are; raises where a narrow
        table disagrees with a row.
        """
        assert [tuple(row) for row in await self.pool.fetch(WRONG)] == []
        rows = await self.pool.fetch(
            "SELECT state::text, lease, dispatch, attempt, crashes, cancel_requested FROM engine.jobs ORDER BY id"
        )
        effects = await self.pool.fetchval("SELECT count(*) FROM effects")
        told = [_tell(row) for row in rows]
        assert effects == sum(row["state"] == "completed" for row in rows), "effects if and only if completed"
        return "; ".join(told) or "no row"


def _tell(row: Any) -> str:
    figures = [f"{name} {row[name]}" for name in ("dispatch", "lease", "attempt", "crashes") if row[name]]
    return " ".join([row["state"], *figures, *["asked"] * row["cancel_requested"]])
