"""What alerts hear from the job engine, and what they read in its ledger.

Keeps: what a process itself did (a job died, a provider's call failed) is recorded at once, without a query; what only
the whole shows (breakers, dead letters, how long search waits) is read by one process, whichever leads, and told by it
alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tournee.alerts import conditions
from tournee.alerts.conditions import CONDITIONS
from tournee.alerts.fingerprints import make_fingerprint
from tournee.alerts.incidents import Fault
from tournee.alerts.level_watch import LevelWatch
from tournee.alerts.messages import describe_seconds
from tournee.alerts.monitor import Monitor
from tournee.alerts.wording import ENGLISH, LANGUAGES
from tournee.engine.client import DeadJob, Observer, ProviderRow

CLOSED = "closed"
LATE_LOOKS = 15
"""So many looks in a row, half a minute, must find search late or in time: a dead letter that is redriven counts from
the day it was stored, and is usually indexed at once.
"""


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


@dataclass(frozen=True, slots=True)
class SearchWait:
    """For how long the oldest newsletter has waited to be searchable. `explained`: a queue on its way is paused by an
    operator, or the breaker of that queue is not closed.
    """

    seconds: float = 0.0
    explained: bool = False


NOBODY_WAITS = SearchWait()


class LedgerWatch:
    """Reports what the ledger as a whole says. The process that leads calls `look`; one that leads no more, `forget`.

    What it finds at its first look was told of by whoever led before.
    """

    def __init__(self, monitor: Monitor) -> None:
        settings = monitor.settings
        self._monitor = monitor
        self._open: set[str] = set()
        self._fresh = True
        self._dead = LevelWatch(monitor, conditions.DEAD_LETTERS, settings.dead_letters_threshold)
        self._search = LevelWatch(monitor, conditions.SEARCH_LATE, settings.searchable_seconds, LATE_LOOKS)

    def look(self, providers: Sequence[ProviderRow], dead_letters: int, wait: SearchWait = NOBODY_WAITS) -> None:
        """One look at all breakers, how many dead letters there are, and how long search waits."""
        for row in providers:
            self._note_breaker(row)
        self._dead.look(dead_letters, {"waiting": str(dead_letters)})
        explained = wait.explained or self._monitor.holds(conditions.REDIS_DOWN)
        self._search.look(wait.seconds, self._describe_wait(wait), explained=explained)
        self._fresh = False

    def forget(self) -> None:
        """Another process leads, and tells how it goes on."""
        if self._fresh:
            return
        for provider in self._open:
            self._monitor.forget(conditions.BREAKER_OPEN, provider)
        self._open.clear()
        self._fresh = True
        self._dead.forget()
        self._search.forget()

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

    def _describe_wait(self, wait: SearchWait) -> dict[str, str]:
        settings = self._monitor.settings
        language = LANGUAGES.get(settings.language, ENGLISH)
        return {
            "oldest": describe_seconds(wait.seconds, language),
            "objective": describe_seconds(settings.searchable_seconds, language),
        }
