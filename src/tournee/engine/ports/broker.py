"""The dispatcher, as worker and maintenance see it, and the two ways in which it can be of no use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from tournee.engine.core.job import (
    DeadJob,
    Dispatchable,
    DispatchId,
    QueueName,
)
from tournee.engine.core.records import (
    BrokerDepth,
    BrokerSnapshot,
    Fetched,
    Finished,
)


class BrokerUnavailable(Exception):
    """Redis did not answer, or not in time. Nothing is known about what it executed."""


class BrokerMisconfigured(Exception):
    """Redis answers, but can't serve as a dispatcher (eviction policy, version, password). Says what to do."""


class Broker(Protocol):
    """BullMQ on Redis or Valkey. Raises `BrokerUnavailable` for every connection fault or time-out.

    Cancelling a call leaves no connection in an undefined state. No method opens or needs a ledger
    transaction, and none is ever called while one is open.
    """

    async def check(self) -> None:
        """Connect and verify version and `maxmemory-policy noeviction`; raises `BrokerMisconfigured`."""
        ...

    async def close(self) -> None: ...

    async def add(self, queue: QueueName, jobs: Sequence[Dispatchable]) -> None:
        """Add all in one pipeline, those marked `front` to the front. A job of a repeated dispatch shows attempts made
        and earlier stack traces. Raises if any of them is not known to be added; the caller then sets the rows back.
        """
        ...

    async def exchange(
        self, queue: QueueName, finished: Sequence[Finished], fetch: int, worker_token: str
    ) -> list[Fetched]:
        """Finish what is done and fetch at most `fetch` next jobs, in one pipeline (`moveToFinished` with
        fetch-next where possible, `moveToActive` for the rest). A negative reply for one finish is no error:
        that entry is cleaned and no job came with it. Runs without client retries.
        """
        ...

    async def discard(self, queue: QueueName, raw_ids: Sequence[str]) -> None:
        """Remove entries that no row accounts for from every list and set, with hash, lock and logs."""
        ...

    async def wait_for_jobs(self, queue: QueueName, timeout_seconds: float) -> bool:
        """Block on the queue's marker; True if a job may be there. Uses a connection of its own, whose client
        name lets Bull Board count this worker.
        """
        ...

    async def extend_locks(self, queue: QueueName, held: Mapping[DispatchId, str], duration_ms: int) -> set[DispatchId]:
        """Renew the locks of held jobs in one call on a connection of its own; answers those that were lost."""
        ...

    async def read_depth(self, queue: QueueName) -> BrokerDepth: ...

    async def write_epoch(self, queue: QueueName, epoch: int) -> None: ...

    async def snapshot(self, queue: QueueName) -> BrokerSnapshot: ...

    async def find_leftovers(self, queue: QueueName) -> list[str]:
        """Slow SCAN for job hashes that are in no list or set; at most a few thousand, for `discard`."""
        ...

    async def project_dead(self, dead: Sequence[DeadJob], keep: int) -> tuple[int, int]:
        """Make the `deadLetters` queue hold exactly an entry for each of `dead` (the latest first, at most `keep`),
        and drop failed-set entries of work queues that are none of them; answers (added, removed).
        Entry ids are `d<job id>-<dispatch>`.
        """
        ...

    async def write_progress(self, queue: QueueName, id: DispatchId, progress: float) -> None: ...

    async def write_log(self, queue: QueueName, id: DispatchId, line: str) -> None: ...

    async def memory_bytes(self) -> int: ...
