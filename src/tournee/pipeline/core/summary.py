"""What an import amounts to, and the equations that say that nothing went missing.

Pure. `lost` is computed from what was seen and what rows account for; it is never assumed to be 0.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class ImportCounts:
    """What the rows of one import say at one moment."""

    waiting: int
    """Staged mails that no message row has taken up yet."""
    syncing: bool
    """A fetchEmails job that will take them up is alive."""
    newsletters: int
    confirmations: int
    others: int
    unparsable: int
    newsletter_rows: int
    analysed: int
    cache_hits: int
    invalid: int
    indexed: int
    index_failed: int
    deliveries_planned: int
    notified: int
    notices_waiting: int
    not_mail: int
    duplicates: int

    @property
    def messages(self) -> int:
        """Message rows of all classes."""
        return self.newsletters + self.confirmations + self.others + self.unparsable

    @property
    def unfinished(self) -> int:
        """Newsletters that are neither indexed nor given up."""
        return self.newsletters - self.indexed - self.invalid - self.index_failed

    @property
    def settled(self) -> bool:
        """Nothing that was enqueued for this import will change any more."""
        waits_for_sync = self.waiting > 0 and self.syncing
        return not (waits_for_sync or self.unfinished > 0 or self.deliveries_planned or self.notices_waiting)


@dataclass(frozen=True, slots=True)
class ImportSummary:
    """The object that `import --json` and the demo end with. See DESIGN section 11 for each word."""

    messages: int
    newsletters: int
    confirmations: int
    others: int
    unparsable: int
    analysed: int
    cache_hits: int
    invalid: int
    indexed: int
    notified: int
    duplicates: int
    not_mail: int
    failed: int
    dead: int
    lost: int
    seconds: float

    def as_object(self) -> dict[str, int | float]:
        """Ready for JSON, in the documented order."""
        return asdict(self)

    @property
    def accounted_for(self) -> bool:
        """True when every mail seen has a row and every newsletter an outcome."""
        return self.lost == 0 and not self.find_violations()

    def find_violations(self) -> list[str]:
        """The equations that do not hold, in words; empty when all do."""
        violations = []
        if self.messages != self.newsletters + self.confirmations + self.others + self.unparsable:
            violations.append("messages differ from newsletters + confirmations + others + unparsable")
        if self.newsletters != self.analysed + self.cache_hits + self.invalid:
            violations.append("newsletters differ from analysed + cache_hits + invalid")
        return violations


def count_lost(seen: int, counts: ImportCounts) -> int:
    """What no row accounts for: items seen without a row of any kind, and newsletters without a row or an outcome.

    A mail still staged (its fetch is dead) has a row and is not lost; it shows in `dead`.
    """
    rows = counts.messages + counts.waiting + counts.not_mail + counts.duplicates
    outcomes = counts.analysed + counts.cache_hits + counts.invalid
    without_row = abs(counts.newsletters - counts.newsletter_rows)
    return abs(seen - rows) + without_row + abs(counts.newsletter_rows - outcomes)


def make_summary(seen: int, counts: ImportCounts, *, failed: int, dead: int, seconds: float) -> ImportSummary:
    """Sum up an import that has settled; `seen` is what the walk counted itself."""
    return ImportSummary(
        messages=counts.messages,
        newsletters=counts.newsletters,
        confirmations=counts.confirmations,
        others=counts.others,
        unparsable=counts.unparsable,
        analysed=counts.analysed,
        cache_hits=counts.cache_hits,
        invalid=counts.invalid,
        indexed=counts.indexed,
        notified=counts.notified,
        duplicates=counts.duplicates,
        not_mail=counts.not_mail,
        failed=failed,
        dead=dead,
        lost=count_lost(seen, counts),
        seconds=round(seconds, 3),
    )
