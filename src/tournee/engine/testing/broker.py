"""A broker without Redis: what a relay adds is kept in a list, for the drain that asked for it.

Keeps `Broker` in one process and for one caller at a time; loses everything with it, which the ledger allows. Belongs
to the testing kit alone: it dispatches, and decides nothing.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence

from tournee.engine.core.job import DeadJob, Dispatchable, DispatchId, QueueName
from tournee.engine.ports import BrokerDepth, BrokerSnapshot, Fetched, Finished


class LocalBroker:
    """Keeps `Broker`. `progress` and `lines` are what handlers have shown, by dispatch."""

    def __init__(self, epochs: Mapping[QueueName, int] | None = None) -> None:
        self.progress: dict[DispatchId, float] = {}
        self.lines: defaultdict[DispatchId, list[str]] = defaultdict(list)
        self._epochs = dict(epochs or {})
        self._waiting: defaultdict[QueueName, deque[Dispatchable]] = defaultdict(deque)

    def peek(self, queue: QueueName) -> Dispatchable | None:
        """What comes next."""
        waiting = self._waiting[queue]
        return waiting[0] if waiting else None

    def take(self, queue: QueueName, kind: str, at_most: int) -> list[DispatchId]:
        """The next of one kind, as long as nothing else stands between them."""
        waiting = self._waiting[queue]
        taken: list[DispatchId] = []
        while waiting and waiting[0].kind == kind and len(taken) < at_most:
            taken.append(waiting.popleft().id)
        return taken

    def take_all(self) -> list[DispatchId]:
        """Everything that nobody took."""
        taken = [job.id for waiting in self._waiting.values() for job in waiting]
        self._waiting.clear()
        return taken

    # --- the port

    async def check(self) -> None:
        """There is nothing that could be missing."""

    async def close(self) -> None:
        """There is nothing to close."""

    async def add(self, queue: QueueName, jobs: Sequence[Dispatchable]) -> None:
        # Those for the front come last and go there one by one, as in Redis.
        for job in jobs:
            if job.front:
                self._waiting[queue].appendleft(job)
            else:
                self._waiting[queue].append(job)

    async def exchange(
        self, queue: QueueName, finished: Sequence[Finished], fetch: int, worker_token: str
    ) -> list[Fetched]:
        waiting = self._waiting[queue]
        ids = [waiting.popleft().id for _ in range(min(fetch, len(waiting)))]
        return [Fetched(id, str(id), worker_token) for id in ids]

    async def discard(self, queue: QueueName, raw_ids: Sequence[str]) -> None:
        kept = [job for job in self._waiting[queue] if str(job.id) not in raw_ids]
        self._waiting[queue] = deque(kept)

    async def wait_for_jobs(self, queue: QueueName, timeout_seconds: float) -> bool:
        return bool(self._waiting[queue])

    async def extend_locks(self, queue: QueueName, held: Mapping[DispatchId, str], duration_ms: int) -> set[DispatchId]:
        return set()

    async def read_depth(self, queue: QueueName) -> BrokerDepth:
        return BrokerDepth(len(self._waiting[queue]), 0, 0, 0, self._epochs.get(queue))

    async def write_epoch(self, queue: QueueName, epoch: int) -> None:
        self._epochs[queue] = epoch

    async def snapshot(self, queue: QueueName) -> BrokerSnapshot:
        present = frozenset(job.id for job in self._waiting[queue])
        return BrokerSnapshot(present, frozenset(), frozenset(), self._epochs.get(queue))

    async def find_leftovers(self, queue: QueueName) -> list[str]:
        return []

    async def project_dead(self, dead: Sequence[DeadJob], keep: int) -> tuple[int, int]:
        return 0, 0

    async def write_progress(self, queue: QueueName, id: DispatchId, progress: float) -> None:
        self.progress[id] = progress

    async def write_log(self, queue: QueueName, id: DispatchId, line: str) -> None:
        self.lines[id].append(line)

    async def memory_bytes(self) -> int:
        return 0
