"""The table of what alerts: how grave it is, how it ends, who is told, and what explains it.

Pure data. A new condition is one entry here and one for each language in `wording`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How grave it is; the colour of the message."""

    CRITICAL = "critical"
    ERROR = "error"
    WARNING = "warning"


class Ends(StrEnum):
    """How one knows that it is over."""

    STATED = "stated"
    """Whoever reported it says so."""
    QUIET = "quiet"
    """It has not happened for a while."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that alerts."""

    name: str
    severity: Severity
    ends: Ends = Ends.QUIET
    mailed: bool = False
    """Whether the administrators get an e-mail beside the message at Discord."""
    tells_end: bool = False
    """Whether its end is told though nothing has happened since the last message."""
    explained_by: tuple[str, ...] = ()
    """Conditions that swallow it while they last."""
    page: str = ""
    """The console's page that its messages lead to, where they name no job."""
    most: int = 10
    """How many of it may be open at once; what comes then is one more, without a name."""


API_ERRORS = "api-errors"
ERROR_500 = "error-500"
DATABASE_DOWN = "database-down"
REDIS_DOWN = "redis-down"
RATE_LIMITED_IN = "rate-limited-in"
RATE_LIMITED_OUT = "rate-limited-out"
JOB_DEAD = "job-dead"
NEWSLETTER_INVALID = "newsletter-invalid"
BREAKER_OPEN = "breaker-open"
DEAD_LETTERS = "dead-letters"
SEARCH_LATE = "search-late"
DISK_FULL = "disk-nearly-full"

_STORES = (DATABASE_DOWN, REDIS_DOWN)

_TABLE = (
    Condition(API_ERRORS, Severity.ERROR, tells_end=True, explained_by=_STORES),
    Condition(ERROR_500, Severity.ERROR, explained_by=_STORES),
    Condition(DATABASE_DOWN, Severity.CRITICAL, Ends.STATED, mailed=True),
    Condition(REDIS_DOWN, Severity.CRITICAL, Ends.STATED, mailed=True),
    Condition(RATE_LIMITED_IN, Severity.WARNING),
    Condition(RATE_LIMITED_OUT, Severity.WARNING),
    Condition(JOB_DEAD, Severity.ERROR, mailed=True),
    Condition(NEWSLETTER_INVALID, Severity.ERROR, mailed=True),
    Condition(BREAKER_OPEN, Severity.WARNING, Ends.STATED),
    Condition(DEAD_LETTERS, Severity.WARNING, Ends.STATED),
    Condition(SEARCH_LATE, Severity.WARNING, Ends.STATED, explained_by=_STORES, page="newsletters"),
    Condition(DISK_FULL, Severity.CRITICAL, Ends.STATED, mailed=True),
)

CONDITIONS: Mapping[str, Condition] = {condition.name: condition for condition in _TABLE}
