"""The `Broker` port on BullMQ.

Owns the connections (one group for pipelines, one for lock renewal, one per queue for blocking waits, so that no
long call delays a short one) and hands each call to the module that knows it. Keeps what the port promises:
`BrokerUnavailable` for every fault, no ledger transaction, no connection left half-read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import metadata

from redis.exceptions import AuthenticationError, NoPermissionError

from tournee.engine.bullmq import dead_letters, leftovers, server
from tournee.engine.bullmq.channel import Channel, ChannelConfig, Reply
from tournee.engine.bullmq.commands import QueueCommands, pack
from tournee.engine.bullmq.entries import make_entry
from tournee.engine.bullmq.exchange import exchange_jobs
from tournee.engine.bullmq.lane import Lane
from tournee.engine.bullmq.layout import make_client_name, make_layout, parse_entry_id
from tournee.engine.bullmq.pipeline import MAX_COMMANDS, Pipeline, raise_refusal
from tournee.engine.bullmq.scripts import ScriptLibrary
from tournee.engine.bullmq.settings import BrokerSettings
from tournee.engine.core.job import DeadJob, Dispatchable, DispatchId, QueueName
from tournee.engine.ports import (
    BrokerDepth,
    BrokerMisconfigured,
    BrokerSnapshot,
    BrokerUnavailable,
    Fetched,
    Finished,
)

_PIPELINE_CONNECTIONS = 16
_RENEWAL_CONNECTIONS = 2
_BLOCKING_CONNECTIONS = 2
_SHORTEST_WAIT_SECONDS = 0.01
"""BZPOPMIN takes 0 for ever."""


class BullmqBroker:
    """See `tournee.engine.ports.Broker` for the contract of each method.

    One per process and event loop. Importing this module loads redis and bullmq, about half a second: do it where a
    broker is needed, not at the top of a command-line program. Nothing is connected before the first call.
    """

    def __init__(self, settings: BrokerSettings) -> None:
        """Raises `BrokerMisconfigured` for a Redis URL that can't be read."""
        self._settings = settings
        self._library = ScriptLibrary()
        self._pipelines = self._open_channel(_PIPELINE_CONNECTIONS)
        self._renewals = self._open_channel(_RENEWAL_CONNECTIONS)
        self._pipeline = Pipeline(self._pipelines, self._library)
        self._renewal = Pipeline(self._renewals, self._library)
        self._lanes: dict[QueueName, Lane] = {}
        self._closed = False

    async def check(self) -> None:
        """Connect, and raise `BrokerMisconfigured` with what to do for a server that can't serve."""
        try:
            [info] = await self._pipeline.run_all([pack("INFO")])
        except BrokerUnavailable as error:
            if _is_refused_login(error):
                advice = "Correct the password, or the user's rights, in the Redis URL."
                raise BrokerMisconfigured(f"{error}. {advice}") from error
            raise
        server.verify_server(server.parse_info(info))

    async def close(self) -> None:
        """Close every connection; calls under way end with `BrokerUnavailable`."""
        self._closed = True
        for channel in (self._pipelines, self._renewals, *(lane.blocking for lane in self._lanes.values())):
            await channel.close()

    async def add(self, queue: QueueName, jobs: Sequence[Dispatchable]) -> None:
        """Add all; chunks of a thousand commands are sent one after the other."""
        commands = self._find_lane(queue).commands
        packed = []
        for job in jobs:
            entry = make_entry(job)
            packed.append(commands.add(entry))
            if entry.annotations:
                packed.append(commands.annotate(entry))
        await self._pipeline.run_all(packed)

    async def exchange(
        self, queue: QueueName, finished: Sequence[Finished], fetch: int, worker_token: str
    ) -> list[Fetched]:
        """Cancelled after it was sent, it leaves what it fetched locked until the locks run out: shield it."""
        return await exchange_jobs(self._pipeline, self._find_lane(queue), finished, fetch, worker_token)

    async def discard(self, queue: QueueName, raw_ids: Sequence[str]) -> None:
        """Remove entries with all that belongs to them, whatever state they are in."""
        await dead_letters.discard_entries(self._pipeline, self._find_lane(queue), raw_ids)

    async def wait_for_jobs(self, queue: QueueName, timeout_seconds: float) -> bool:
        """Takes the marker away: whoever waits must be able to fetch, and must also look when the time is up."""
        lane = self._find_lane(queue)
        seconds = max(timeout_seconds, _SHORTEST_WAIT_SECONDS)
        command = pack("BZPOPMIN", lane.layout.names["marker"], f"{seconds:.3f}")
        replies = await lane.blocking.execute([command], block_seconds=seconds)
        raise_refusal(replies)
        return replies[0] is not None

    async def extend_locks(self, queue: QueueName, held: Mapping[DispatchId, str], duration_ms: int) -> set[DispatchId]:
        """Renew locks on a connection that no long pipeline keeps busy."""
        commands = self._find_lane(queue).commands
        by_raw_id = {str(entry): entry for entry in held}
        pairs = list(zip(by_raw_id, held.values(), strict=True))
        chunks = [pairs[start : start + MAX_COMMANDS] for start in range(0, len(pairs), MAX_COMMANDS)]
        packed = [
            commands.extend_locks([raw_id for raw_id, _ in chunk], [token for _, token in chunk], duration_ms)
            for chunk in chunks
        ]
        lost = await self._renewal.run_all(packed)
        return {by_raw_id[raw_id.decode()] for ids in lost for raw_id in ids}

    async def read_depth(self, queue: QueueName) -> BrokerDepth:
        """Lengths and epoch in one round trip."""
        layout = self._find_lane(queue).layout
        names = layout.names
        waiting, active, failed, completed, epoch = await self._pipeline.run_all(
            [
                pack("LLEN", names["wait"]),
                pack("LLEN", names["active"]),
                pack("ZCARD", names["failed"]),
                pack("ZCARD", names["completed"]),
                pack("GET", layout.epoch),
            ]
        )
        return BrokerDepth(waiting, active, failed, completed, _parse_epoch(epoch))

    async def is_paused(self, queue: QueueName) -> bool:
        """Whether somebody paused the queue in Redis (Bull Board can). Our own pause is a row in the ledger; this one
        is reported, and not fought.
        """
        meta = self._find_lane(queue).layout.names["meta"]
        [paused] = await self._pipeline.run_all([pack("HEXISTS", meta, "paused")])
        return bool(paused)

    async def write_epoch(self, queue: QueueName, epoch: int) -> None:
        """Writes the queue's meta hash too, which a flush took along with the epoch."""
        lane = self._find_lane(queue)
        await self._pipeline.run_all([self._describe(lane), pack("SET", lane.layout.epoch, epoch)])

    async def snapshot(self, queue: QueueName) -> BrokerSnapshot:
        """`present` also holds what BullMQ would fetch from its paused list and prioritized set, where only a foreign
        hand puts our ids. `unlocked` also holds those in its delayed and waiting-children sets: they are there, but
        must not count as present.
        """
        [reply] = await self._pipeline.run_all([self._find_lane(queue).commands.snapshot()])
        *groups, tokens, epoch = reply
        (waiting, active, unlocked, stranded), foreign = _sort_ids(groups)
        present = waiting | active
        holders = {
            entry: token.decode("utf-8", "replace")
            for raw_id, token in zip(groups[1], tokens, strict=True)
            if (entry := parse_entry_id(raw_id.decode("utf-8", "replace"))) is not None
        }
        return BrokerSnapshot(present, (unlocked | stranded) - present, foreign, _parse_epoch(epoch), holders)

    async def find_leftovers(self, queue: QueueName) -> list[str]:
        """Ids whose hash lies in no list or set, dead letters' ids included."""
        return await leftovers.find_leftovers(self._pipeline, self._find_lane(queue).layout)

    async def project_dead(self, dead: Sequence[DeadJob], keep: int) -> tuple[int, int]:
        """Both counts are of the dead-letter queue and the failed sets together. An entry of a failed set that is
        younger than the setting's grace stays until the next call.
        """
        letters = self._find_lane(self._settings.dead_letter_queue)
        await self._pipeline.run_all([self._describe(letters)])
        added, removed = await dead_letters.project_dead_letters(self._pipeline, letters, dead, keep)
        grouped = dead_letters.group_by_queue(dead)
        work_queues = {*self._settings.work_queues, *self._lanes, *(QueueName(name) for name in grouped)}
        for queue in sorted(work_queues - {self._settings.dead_letter_queue}):
            lane = self._find_lane(queue)
            entries = grouped.get(queue, [])
            removed += await dead_letters.prune_failed(self._pipeline, lane, entries, self._settings.prune_grace_ms)
        return added, removed

    async def write_progress(self, queue: QueueName, id: DispatchId, progress: float) -> None:
        """`progress` is a percentage, as Bull Board shows it. No error if the job is gone."""
        await self._pipeline.run_all([self._find_lane(queue).commands.progress(str(id), progress)])

    async def write_log(self, queue: QueueName, id: DispatchId, line: str) -> None:
        """Keeps the last lines; no error if the job is gone."""
        await self._pipeline.run_all([self._find_lane(queue).commands.log(str(id), line)])

    async def memory_bytes(self) -> int:
        """What the server says that it uses."""
        [info] = await self._pipeline.run_all([pack("INFO", "memory")])
        return int(server.parse_info(info)["used_memory"])

    def _find_lane(self, queue: QueueName) -> Lane:
        lane = self._lanes.get(queue)
        if lane is None:
            if self._closed:
                raise BrokerUnavailable("the broker is closed")
            settings = self._settings
            layout = make_layout(settings.prefix, queue)
            name = make_client_name(settings.prefix, queue, settings.worker_name)
            commands = QueueCommands(layout, self._library, settings)
            blocking = self._open_channel(_BLOCKING_CONNECTIONS, name)
            lane = self._lanes[queue] = Lane(layout, commands, blocking, settings.keep_completed)
        return lane

    def _open_channel(self, connections: int, client_name: str | None = None) -> Channel:
        settings = self._settings
        return Channel(
            ChannelConfig(
                redis_url=settings.redis_url,
                timeout_seconds=settings.command_timeout_seconds,
                connect_timeout_seconds=settings.connect_timeout_seconds,
                connections=connections,
                client_name=client_name,
            )
        )

    def _describe(self, lane: Lane) -> bytes:
        return lane.commands.describe_queue(metadata.version("bullmq"))


def _sort_ids(groups: Sequence[Sequence[bytes]]) -> tuple[list[frozenset[DispatchId]], frozenset[str]]:
    """Each group's ids that are ours, and all that are not."""
    foreign: set[str] = set()
    sorted_groups = []
    for group in groups:
        ours = set()
        for encoded in group:
            raw_id = encoded.decode("utf-8", "replace")
            parsed = parse_entry_id(raw_id)
            if parsed is None:
                foreign.add(raw_id)
            else:
                ours.add(parsed)
        sorted_groups.append(frozenset(ours))
    return sorted_groups, frozenset(foreign)


def _parse_epoch(reply: Reply) -> int | None:
    """None for a missing or unreadable sentinel: both are a mismatch to the reconciler."""
    try:
        return int(reply) if reply is not None else None
    except ValueError:
        return None


def _is_refused_login(error: BrokerUnavailable) -> bool:
    """A refused login is a fault of the set-up, which no waiting heals."""
    return isinstance(error.__cause__, (AuthenticationError, NoPermissionError))
