"""Finds hashes of jobs that lie in no list or set: what a crash, or a hand in Redis, left behind.

Only ids that the engine makes are looked at. The scan comes first and the lists after it, so that a job in motion
is either seen in a list or finished meanwhile; to discard the latter again changes nothing.
"""

from __future__ import annotations

import re

from tournee.engine.bullmq.commands import pack
from tournee.engine.bullmq.layout import QueueLayout
from tournee.engine.bullmq.pipeline import Pipeline

MAX_LEFTOVERS = 5_000
_MAX_SCANNED = 50_000
_SCAN_COUNT = 1_000

_ENTRY = re.compile(r"[jd][0-9]{1,19}-[0-9]{1,10}")
_LISTS = ("wait", "active", "paused")
_SETS = ("delayed", "prioritized", "completed", "failed", "waiting-children")


async def find_leftovers(pipeline: Pipeline, layout: QueueLayout) -> list[str]:
    """At most `MAX_LEFTOVERS` ids whose hash is in no list or set of the queue. Slow: it walks all keys."""
    hashes = await _scan_hashes(pipeline, layout)
    if not hashes:
        return []
    held = await _read_held(pipeline, layout)
    return sorted(hashes - held)[:MAX_LEFTOVERS]


async def _scan_hashes(pipeline: Pipeline, layout: QueueLayout) -> set[str]:
    pattern = re.sub(r"([\[\]*?\\^])", r"\\\1", layout.base) + "[jd]*-*"
    found: set[str] = set()
    cursor = b"0"
    while True:
        [(cursor, keys)] = await pipeline.run_all([pack("SCAN", cursor, "MATCH", pattern, "COUNT", _SCAN_COUNT)])
        for key in keys:
            raw_id = key.decode("utf-8", "replace")[len(layout.base) :]
            if _ENTRY.fullmatch(raw_id):
                found.add(raw_id)
        if cursor == b"0" or len(found) >= _MAX_SCANNED:
            return found


async def _read_held(pipeline: Pipeline, layout: QueueLayout) -> set[str]:
    """Every id in a list or set, read in one transaction: between two reads a job could move and be missed."""
    reads = [pack("LRANGE", layout.names[name], 0, -1) for name in _LISTS]
    reads += [pack("ZRANGE", layout.names[name], 0, -1) for name in _SETS]
    replies = await pipeline.run_all([pack("MULTI"), *reads, pack("EXEC")])
    return {raw_id.decode("utf-8", "replace") for members in replies[-1] for raw_id in members}
