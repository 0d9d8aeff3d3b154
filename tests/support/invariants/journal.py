"""What handlers and callers write down as it happens: a file that is only appended to.

Owns the one record that no rolled-back transaction and no killed process can take back, as an outside receiver would
keep it. One line is one write, so that many processes may share the file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.support.invariants.evidence import Flush, Start, Told
from tournee.engine.client import Batch, Job


class Journal:
    """Opens the file at the first line. Cheap: one write a line, no sync, since no test outlives the machine."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: int | None = None

    # --- what handlers say

    def note_start(self, job: Job[Any]) -> None:
        """The handler of `job` began. The first thing that it does."""
        claimed = job.claimed
        self._write(["start", claimed.id.job_id, claimed.lease, claimed.started_at.isoformat()])

    def note_batch_start(self, batch: Batch[Any]) -> None:
        """A batch handler began. A batch that is bisected says so again."""
        for job in batch.jobs:
            self.note_start(job)

    def note_kill(self, job: Job[Any]) -> None:
        """The handler of `job` is about to kill its own process."""
        self._write(["kill", job.claimed.id.job_id, job.claimed.lease])

    # --- what callers and the harness say

    def note_acknowledged(self, queue: str, keys: Iterable[str]) -> None:
        """The commit of an enqueue was answered."""
        self._write(["acknowledged", queue, list(keys)])

    def note_rolled_back(self, queue: str, keys: Iterable[str]) -> None:
        """An enqueue was rolled back, and nobody else asked for these keys."""
        self._write(["rolled back", queue, list(keys)])

    def note_flush(self, at: datetime, bound_seconds: float = 30.0) -> None:
        """Redis was emptied; `at` is PostgreSQL's clock just before (see `recorder.read_clock`)."""
        self._write(["flush", at.isoformat(), bound_seconds])

    def note_outside_fault(self, what: str) -> None:
        """A process was killed, frozen or cut off from outside."""
        self._write(["outside fault", what])

    # --- look

    def read(self) -> Told:
        """All that was written so far, by any process."""
        lines = self.path.read_text(encoding="utf-8").splitlines() if self.path.exists() else []
        said: dict[str, list[list[Any]]] = {}
        for line in lines:
            word, *rest = json.loads(line)
            said.setdefault(word, []).append(rest)
        return Told(
            starts=[Start(job, lease, datetime.fromisoformat(at)) for job, lease, at in said.get("start", [])],
            kills=frozenset((job, lease) for job, lease in said.get("kill", [])),
            acknowledged=_pairs(said.get("acknowledged", [])),
            rolled_back=_pairs(said.get("rolled back", [])),
            flushes=[Flush(datetime.fromisoformat(at), bound) for at, bound in said.get("flush", [])],
            outside_faults=[what for [what] in said.get("outside fault", [])],
        )

    def close(self) -> None:
        """Lines written later open the file again."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _write(self, line: list[Any]) -> None:
        if self._file is None:
            self._file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(self._file, (json.dumps(line) + "\n").encode())


def _pairs(lines: Iterable[list[Any]]) -> frozenset[tuple[str, str]]:
    return frozenset((queue, key) for queue, keys in lines for key in keys)
