"""Named points in a chaos process at which it can be made to stop, exactly.

Owns the wrappers around store and broker that pass by these points; the product knows nothing of them. `freeze` stops
the whole process, to be killed there; `hold` stops one coroutine until it is released.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from tournee.engine.bullmq.broker import BullmqBroker
from tournee.engine.client import QueueName
from tournee.engine.core.filling import Marked, Room
from tournee.engine.core.job import ClaimedJob, Dispatchable, DispatchId, JobId, WorkerId
from tournee.engine.core.records import BrokerSnapshot, Fetched, Finished
from tournee.engine.postgres.store import PostgresJobStore

FREEZE_SECONDS = 20.0
"""Who is not killed by then goes on: the nemesis has lost interest."""
HOLD_SECONDS = 8.0


class Points:
    """Which point is armed, and how. `tell` reports to the nemesis."""

    def __init__(self, tell: Callable[[dict[str, Any]], None]) -> None:
        self._tell = tell
        self._armed = ""
        self._freezes = False
        self._released = asyncio.Event()
        self.usurps = False
        """Every role is taken, whoever holds its lease."""
        self.usurped = 0
        """How often a role was taken that another held."""

    def arm(self, point: str, *, freezes: bool) -> None:
        self._armed, self._freezes = point, freezes
        self._released.clear()

    def disarm(self) -> None:
        """Forget what was armed, and let go what is held."""
        self._armed = ""
        self._released.set()

    def is_armed(self, point: str) -> bool:
        return self._armed == point

    async def pass_by(self, point: str) -> None:
        """Stop here if this point is armed; the first to come is the only one."""
        if self._armed != point:
            return
        self._armed = ""
        self._tell({"event": "reached", "point": point})
        if self._freezes:
            time.sleep(FREEZE_SECONDS)  # noqa: ASYNC251 - the process is meant to stand still
            return
        try:
            await asyncio.wait_for(self._released.wait(), HOLD_SECONDS)
        except TimeoutError:
            return


class TrappedBroker(BullmqBroker):
    """A broker that passes by `marked`, `adding`, `fetched`, `comparing` and `epoch-written`."""

    points: Points

    async def add(self, queue: QueueName, jobs: Sequence[Dispatchable]) -> None:
        await self.points.pass_by("marked")
        half = len(jobs) // 2
        if half and self.points.is_armed("adding"):
            await super().add(queue, jobs[:half])
            await self.points.pass_by("adding")
            await super().add(queue, jobs[half:])
        else:
            await super().add(queue, jobs)

    async def exchange(
        self, queue: QueueName, finished: Sequence[Finished], fetch: int, worker_token: str
    ) -> list[Fetched]:
        fetched = await super().exchange(queue, finished, fetch, worker_token)
        if fetched:
            await self.points.pass_by("fetched")
        return fetched

    async def snapshot(self, queue: QueueName) -> BrokerSnapshot:
        await self.points.pass_by("comparing")
        return await super().snapshot(queue)

    async def write_epoch(self, queue: QueueName, epoch: int) -> None:
        await super().write_epoch(queue, epoch)
        await self.points.pass_by("epoch-written")


def trap_store(points: Points) -> type[PostgresJobStore]:
    """A store that passes by `claimed` and `completed`, and that takes every role while it usurps."""

    class TrappedStore(PostgresJobStore):
        async def claim_jobs(
            self, ids: Sequence[DispatchId], worker: WorkerId, limit: timedelta
        ) -> Sequence[ClaimedJob]:
            claimed = await super().claim_jobs(ids, worker, limit)
            if claimed:
                await points.pass_by("claimed")
            return claimed

        async def complete_jobs(self, jobs: Sequence[ClaimedJob]) -> set[JobId]:
            done = await super().complete_jobs(jobs)
            await points.pass_by("completed")
            return done

        async def mark_queued(self, queue: QueueName, room: Room) -> Marked:
            marked = await super().mark_queued(queue, room)
            if marked.jobs and len(marked.jobs) > 1:
                await points.pass_by("several-marked")
            return marked

        async def take_leadership(self, role: str, holder: WorkerId, duration: timedelta) -> bool:
            leads = await super().take_leadership(role, holder, duration)
            points.usurped += points.usurps and not leads
            return leads or points.usurps

    return TrappedStore
