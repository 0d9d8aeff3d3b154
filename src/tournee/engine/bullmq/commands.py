"""Packs the commands that one queue is driven with: the arguments of BullMQ's scripts, and little else.

The arguments are those of `bullmq.scripts.Scripts`, packed here because theirs are made anew for each job of parts
that do not vary: keys and packed options are made once per queue and token. A test compares both.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TypeVar

import msgpack  # type: ignore[import-untyped]
from hiredis import pack_command

from tournee.engine.bullmq.entries import (
    MAX_LOG_LINE_BYTES,
    MAX_REASON_BYTES,
    MAX_RETURN_BYTES,
    Entry,
    bound_text,
    encode_json,
    encode_stack_traces,
)
from tournee.engine.bullmq.layout import QueueLayout
from tournee.engine.bullmq.scripts import Script, ScriptLibrary
from tournee.engine.bullmq.settings import BrokerSettings
from tournee.engine.ports import Finished

Argument = str | bytes | int
_K = TypeVar("_K")

_NEVER_EXHAUSTED = 2**31
"""More attempts than any job makes: keeps BullMQ from announcing `retries-exhausted` for a job that runs again."""

_MAX_CACHED_OPTIONS = 256


class QueueCommands:
    """Packed commands for one queue. Holds no connection and does no I/O."""

    def __init__(self, layout: QueueLayout, library: ScriptLibrary, settings: BrokerSettings) -> None:
        self._layout = layout
        self._library = library
        self._settings = settings
        self._add_options: dict[tuple[int, bool], bytes] = {}
        self._finish_options: dict[tuple[str, bool, bool, bool], bytes] = {}
        base, names = layout.base, layout.names
        self._finish_targets = {
            True: ("completed", names["completed"], f"{base}metrics:completed"),
            False: ("failed", names["failed"], f"{base}metrics:failed"),
        }

    def add(self, entry: Entry) -> bytes:
        """BullMQ's `addStandardJob`: to the back of the queue, or to its front."""
        variant = (entry.max_attempts, entry.front)
        options = self._add_options.get(variant)
        if options is None:
            options = _keep(self._add_options, variant, _pack_add_options(*variant))
        arguments = [self._layout.base, entry.raw_id, entry.name, entry.timestamp_ms, None, None, None, None, None]
        packed = msgpack.packb(arguments)
        script = self._library["addStandardJob"]
        return _call(script, self._layout.add, packed, entry.data, options, entry.timestamp_ms)

    def annotate(self, entry: Entry) -> bytes:
        """Set the entry's further hash fields, if the hash is still there."""
        return _call(self._library["annotate_job"], (self._layout.job(entry.raw_id),), *entry.annotations)

    def fetch(self, token: str) -> bytes:
        """BullMQ's `moveToActive`: lock the next job under `token`."""
        options = {
            "token": token,
            "lockDuration": self._settings.lock_duration_ms,
            "limiter": None,
            "name": self._settings.worker_name or None,
        }
        layout = self._layout
        return _call(self._library["moveToActive"], layout.fetch, layout.base, _now_ms(), msgpack.packb(options))

    def finish(self, entry: Finished, *, kept: bool, fetch_next: bool) -> bytes:
        """BullMQ's `moveToFinished`, bringing the next job under the same token if `fetch_next`."""
        layout = self._layout
        raw_id = str(entry.id)
        target, target_key, metrics_key = self._finish_targets[entry.succeeded]
        property_name, value, fields = _describe_outcome(entry, kept)
        return _call(
            self._library["moveToFinished"],
            (*layout.finish, target_key, layout.base + raw_id, metrics_key, layout.names["marker"]),
            raw_id,
            _now_ms(),
            property_name,
            value,
            target,
            "1" if fetch_next else "",
            layout.base,
            self._find_finish_options(entry, kept),
            *fields,
        )

    def extend_locks(self, raw_ids: Sequence[str], tokens: Sequence[str], duration_ms: int) -> bytes:
        """BullMQ's `extendLocks`; its reply names those that were lost."""
        return _call(
            self._library["extendLocks"],
            (self._layout.names["stalled"],),
            self._layout.base,
            msgpack.packb(list(tokens)),
            msgpack.packb(list(raw_ids)),
            duration_ms,
        )

    def progress(self, raw_id: str, percent: float) -> bytes:
        """BullMQ's `updateProgress`."""
        keys = (self._layout.job(raw_id), self._layout.names["events"], self._layout.names["meta"])
        return _call(self._library["updateProgress"], keys, raw_id, encode_json(percent))

    def log(self, raw_id: str, line: str) -> bytes:
        """BullMQ's `addLog`: the last lines are kept."""
        key = self._layout.job(raw_id)
        bounded = bound_text(line, MAX_LOG_LINE_BYTES)
        return _call(self._library["addLog"], (key, f"{key}:logs"), raw_id, bounded, self._settings.keep_log_lines)

    def snapshot(self) -> bytes:
        """Where the queue's ids lie, at one instant."""
        return _call(self._library["snapshot_queue"], self._layout.snapshot, self._layout.base)

    def discard(self, raw_ids: Sequence[str], *, spare_finished: bool = False) -> bytes:
        """Remove entries from wherever they are, and all that belongs to them; spare those finished, if told to."""
        script, spare = self._library["discard_jobs"], "1" if spare_finished else "0"
        return _call(script, self._layout.discard, self._layout.base, self._settings.keep_events, spare, *raw_ids)

    def describe_queue(self, version: str) -> bytes:
        """The queue's meta hash as BullMQ's own Queue writes it."""
        bound = self._settings.keep_events
        return pack("HSET", self._layout.names["meta"], "version", f"bullmq:{version}", "opts.maxLenEvents", bound)

    def _find_finish_options(self, entry: Finished, kept: bool) -> bytes:
        counted = entry.succeeded or kept or entry.failed_reason is not None
        variant = (entry.token, entry.succeeded, kept, counted)
        options = self._finish_options.get(variant)
        return options or _keep(self._finish_options, variant, self._pack_finish_options(*variant))

    def _pack_finish_options(self, token: str, succeeded: bool, kept: bool, counted: bool) -> bytes:
        settings = self._settings
        keep = settings.keep_completed if succeeded else settings.keep_failed
        options = {
            "token": token,
            "keepJobs": {"count": keep if kept else 0},
            "limiter": None,
            "lockDuration": settings.lock_duration_ms,
            "attempts": 1 if kept else _NEVER_EXHAUSTED,
            "attemptsMade": 0,
            "maxMetricsSize": settings.metrics_minutes if counted and settings.metrics_minutes else "",
            "fpof": False,
            "cpof": False,
            "idof": False,
            "rdof": False,
            "name": settings.worker_name or None,
        }
        return bytes(msgpack.packb(options))


def pack(*arguments: Argument) -> bytes:
    """A plain command in the server's protocol."""
    return bytes(pack_command(arguments))  # type: ignore[arg-type]


def _call(script: Script, keys: Sequence[str], *arguments: Argument) -> bytes:
    return pack("EVALSHA", script.sha, len(keys), *keys, *arguments)


def _pack_add_options(max_attempts: int, front: bool) -> bytes:
    options: dict[str, object] = {"attempts": max_attempts}
    if front:
        options["lifo"] = True
    return bytes(msgpack.packb(options))


def _describe_outcome(entry: Finished, kept: bool) -> tuple[str, str, tuple[bytes, ...]]:
    """BullMQ's property, its value, and packed hash fields; the latter only for a failure whose hash stays."""
    if entry.succeeded:
        value = "null" if entry.return_value is None else encode_json(bound_text(entry.return_value, MAX_RETURN_BYTES))
        return "returnvalue", value, ()
    reason = bound_text(entry.failed_reason or "", MAX_REASON_BYTES)
    if not kept:
        return "failedReason", reason, ()
    fields = ["failedReason", reason, "stacktrace", encode_stack_traces(entry.stack_trace)]
    return "failedReason", reason, (msgpack.packb(fields),)


def _keep(cache: dict[_K, bytes], key: _K, value: bytes) -> bytes:
    """Remember `value`; tokens may change in the life of a process, so the cache starts afresh when it is full."""
    if len(cache) >= _MAX_CACHED_OPTIONS:
        cache.clear()
    cache[key] = value
    return value


def _now_ms() -> int:
    return int(time.time() * 1000)
