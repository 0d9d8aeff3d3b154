"""What is ordered of an import, and what is told of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a long work is. `total` None: not known yet."""

    stage: str
    done: int
    total: int | None = None


@dataclass(frozen=True, slots=True)
class ImportOrder:
    """What to import: a folder, an mbox or a Maildir. `notify` None: unless a real SMTP server would send it."""

    path: str
    mailbox: str = "import"
    notify: bool | None = None


@dataclass(frozen=True, slots=True)
class ImportSummary:
    """What became of everything that was imported: `messages = newsletters + confirmations + others + unparsable`
    and `newsletters = analysed + cache_hits + invalid`. `duplicates` and `not_mail` are files outside `messages`.
    """

    messages: int = 0
    newsletters: int = 0
    confirmations: int = 0
    others: int = 0
    unparsable: int = 0
    analysed: int = 0
    cache_hits: int = 0
    invalid: int = 0
    indexed: int = 0
    notified: int = 0
    duplicates: int = 0
    not_mail: int = 0
    failed: int = 0
    dead: int = 0
    lost: int = 0
    seconds: float = 0.0

    @property
    def accounted_for(self) -> bool:
        """Whether the equations hold and nothing is lost."""
        return (
            self.lost == 0
            and self.messages == self.newsletters + self.confirmations + self.others + self.unparsable
            and self.newsletters == self.analysed + self.cache_hits + self.invalid
        )


@dataclass(frozen=True, slots=True)
class SkippedFile:
    """A file among what was imported that is no mail, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class ImportReport:
    """The end of an import; `not_mail` names the first thousand of what the summary counts under that name."""

    summary: ImportSummary
    not_mail: Sequence[SkippedFile] = ()
