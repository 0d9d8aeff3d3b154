"""Projects the ledger's dead jobs into Redis, where Bull Board shows them.

The truth is the ledger; this is a bounded picture of it: one waiting entry in the dead-letter queue for each dead
job, and failed sets of work queues that hold none but dead jobs. It refuses to be read as a source of anything.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence

from tournee.engine.bullmq.channel import Reply
from tournee.engine.bullmq.commands import pack
from tournee.engine.bullmq.entries import make_dead_entry, make_dead_id
from tournee.engine.bullmq.lane import Lane
from tournee.engine.bullmq.pipeline import Pipeline
from tournee.engine.core.job import DeadJob, DispatchId

_DISCARD_CHUNK = 200
"""Ids in one script call, so that no call holds the server for long."""

_ELSEWHERE_LISTS = ("active", "paused")
_ELSEWHERE_SETS = ("delayed", "prioritized", "completed", "failed", "waiting-children")


async def project_dead_letters(pipeline: Pipeline, lane: Lane, dead: Sequence[DeadJob], keep: int) -> tuple[int, int]:
    """Make the queue of `lane` hold an entry for each of the latest `keep` of `dead`; answers (added, removed)."""
    latest = sorted(dead, key=lambda job: (job.died_at, job.job_id), reverse=True)[:keep]
    wanted = {make_dead_id(job): job for job in latest}
    waiting, elsewhere = await _read_entries(pipeline, lane)
    hashless = await _find_hashless(pipeline, lane, [raw_id for raw_id in waiting if raw_id in wanted])
    unwanted = [raw_id for raw_id in waiting if raw_id not in wanted] + elsewhere + hashless
    # The oldest first, so that the latest ends up at the head of the list.
    missing = [job for raw_id, job in reversed(wanted.items()) if raw_id not in waiting or raw_id in hashless]
    # A hash that was left behind when the list was lost would swallow the add.
    await discard_entries(pipeline, lane, [*unwanted, *(make_dead_id(job) for job in missing)])
    entries = [make_dead_entry(job) for job in missing]
    commands = [command for entry in entries for command in (lane.commands.add(entry), lane.commands.annotate(entry))]
    await pipeline.run_all(commands)
    return len(missing), len(set(unwanted))


async def prune_failed(pipeline: Pipeline, lane: Lane, dead: Iterable[DispatchId], grace_ms: int) -> int:
    """Drop entries of the failed set that are none of `dead` and older than the grace; answers how many."""
    kept = {str(entry) for entry in dead}
    newest = int(time.time() * 1000) - grace_ms
    [members] = await pipeline.run_all([pack("ZRANGEBYSCORE", lane.layout.names["failed"], "-inf", newest)])
    dropped = [raw_id for raw_id in _decode(members) if raw_id not in kept]
    await discard_entries(pipeline, lane, dropped)
    return len(dropped)


async def discard_entries(pipeline: Pipeline, lane: Lane, raw_ids: Sequence[str]) -> None:
    """Remove entries from every list and set, with all that belongs to them."""
    chunks = [raw_ids[start : start + _DISCARD_CHUNK] for start in range(0, len(raw_ids), _DISCARD_CHUNK)]
    await pipeline.run_all([lane.commands.discard(chunk) for chunk in chunks])


def group_by_queue(dead: Sequence[DeadJob]) -> Mapping[str, list[DispatchId]]:
    """The dispatches of dead jobs, by the queue in which they died."""
    grouped: dict[str, list[DispatchId]] = {}
    for job in dead:
        grouped.setdefault(job.queue, []).append(DispatchId(job.job_id, job.dispatch))
    return grouped


async def _read_entries(pipeline: Pipeline, lane: Lane) -> tuple[dict[str, None], list[str]]:
    """Ids in the wait list, in order, and ids that somebody moved elsewhere."""
    names = lane.layout.names
    reads = [pack("LRANGE", names[name], 0, -1) for name in ("wait", *_ELSEWHERE_LISTS)]
    reads += [pack("ZRANGE", names[name], 0, -1) for name in _ELSEWHERE_SETS]
    waiting, *others = await pipeline.run_all(reads)
    return dict.fromkeys(_decode(waiting)), [raw_id for members in others for raw_id in _decode(members)]


async def _find_hashless(pipeline: Pipeline, lane: Lane, raw_ids: Sequence[str]) -> list[str]:
    replies = await pipeline.run_all([pack("EXISTS", lane.layout.job(raw_id)) for raw_id in raw_ids])
    return [raw_id for raw_id, exists in zip(raw_ids, replies, strict=True) if not exists]


def _decode(members: Reply) -> list[str]:
    return [member.decode("utf-8", "replace") for member in members]
