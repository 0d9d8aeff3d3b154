"""How far an import is, for a progress bar.

Pure. The whole is counted in steps, so that the bar moves evenly: each mail is stored, each newsletter analysed,
indexed and told.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tournee.pipeline.core.summary import ImportCounts


class Phase(StrEnum):
    """What an import is busy with."""

    STAGING = "staging"
    PROCESSING = "processing"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class ImportProgress:
    """One look. `counts` is None until processing is looked at; `seen` grows while the folder is walked."""

    phase: Phase
    seen: int
    not_mail: int
    counts: ImportCounts | None = None

    @property
    def total(self) -> int:
        """Steps known so far: a mail is one, a newsletter two more, a planned alert one more."""
        counts = self.counts
        if counts is None:
            return self.seen - self.not_mail
        alerts = counts.deliveries_planned + counts.notified
        return counts.waiting + counts.messages + 2 * counts.newsletters + alerts

    @property
    def done(self) -> int:
        """Steps taken so far."""
        counts = self.counts
        if counts is None:
            return 0
        analysed = counts.analysed + counts.cache_hits + counts.invalid
        indexed = counts.indexed + counts.index_failed + counts.invalid
        return counts.messages + analysed + indexed + counts.notified
