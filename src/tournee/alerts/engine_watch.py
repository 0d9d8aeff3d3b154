"""What alerts hear from the job engine, and what they read in its ledger.

Keeps: what a process itself did (a job died, a provider's call failed) is recorded at once, without a query; what only
the whole shows (breakers, dead letters) is read by one process, whichever leads, and told by it alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from tournee.alerts import conditions
from tournee.alerts.conditions import CONDITIONS
from tournee.alerts.fingerprints import make_fingerprint
from tournee.alerts.incidents import Fault
from tournee.alerts.monitor import Monitor
from tournee.alerts.rules import Level
from tournee.engine.client import DeadJob, Observer, ProviderRow

CLOSED = "closed"


class EngineWatch(Observer):
    """Hears what this process's engine does."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor

    def note_dead(self, dead: DeadJob) -> None:
        settings = self._monitor.settings
        if dead.queue not in settings.critical_queues:
            return
        condition = settings.kinds_of_their_own.get(dead.kind, conditions.JOB_DEAD)
        facts = {
            "queue": dead.queue,
            "job": str(dead.job_id),
            "error": dead.error.error_class,
            "attempts": str(dead.attempt),
        }
        self._monitor.report(
            Fault(
                CONDITIONS[condition],
                make_fingerprint(dead.kind, dead.error.error_class),
                dead.queue,
                facts,
                job_id=dead.job_id,
                mailed=dead.kind in settings.mailed_kinds,
            )
        )

    def note_outage(self, provider: str, breaker: str) -> None:
        self._monitor.record_provider_failure(provider)

    def note_limited(self, provider: str) -> None:
        self._monitor.record_rate_limit(provider)


class LedgerWatch:
    """Reports what the ledger as a whole says. The process that leads calls `look`; one that leads no more, `forget`.

    What it finds at its first look was told of by whoever led before.
    """

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor
        self._open: set[str] = set()
        self._fresh = True
        self._inherited = False
        self._dead = self._make_level()

    def look(self, providers: Sequence[ProviderRow], dead_letters: int) -> None:
        """One look at all breakers, and how many dead letters there are."""
        for row in providers:
            self._note_breaker(row)
        self._note_dead(dead_letters)
        self._fresh = False

    def forget(self) -> None:
        """Another process leads, and tells how it goes on."""
        if self._fresh:
            return
        for provider in self._open:
            self._monitor.forget(conditions.BREAKER_OPEN, provider)
        self._monitor.forget(conditions.DEAD_LETTERS)
        self._open.clear()
        self._fresh, self._inherited, self._dead = True, False, self._make_level()

    def _note_breaker(self, row: ProviderRow) -> None:
        # Half-open is still away: a probe has yet to succeed.
        away = row.state != CLOSED
        if away and row.name not in self._open:
            self._open.add(row.name)
            fault = Fault(CONDITIONS[conditions.BREAKER_OPEN], row.name, row.name)
            self._monitor.report(fault, told=self._fresh)
        elif not away and row.name in self._open:
            self._open.discard(row.name)
            self._monitor.clear(conditions.BREAKER_OPEN, row.name)

    def _note_dead(self, count: int) -> None:
        threshold = self._monitor.settings.dead_letters_threshold
        fault = Fault(CONDITIONS[conditions.DEAD_LETTERS], "", "", {"waiting": str(count)})
        changed = self._dead.observe(count)
        if self._fresh and count >= threshold:
            # Whoever led before has told of these; that they are fewer is told here.
            self._inherited = True
            self._monitor.report(fault, told=True)
        elif changed and self._dead.alarmed:
            if self._inherited:
                self._monitor.forget(conditions.DEAD_LETTERS)
            self._inherited = False
            self._monitor.report(fault)
        elif changed or (self._inherited and count < threshold / 2):
            self._inherited = False
            self._monitor.clear(conditions.DEAD_LETTERS)

    def _make_level(self) -> Level:
        threshold = self._monitor.settings.dead_letters_threshold
        return Level(threshold, threshold / 2, baseline=True)
