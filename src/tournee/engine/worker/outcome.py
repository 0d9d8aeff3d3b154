"""What a run came to, and how an exception becomes an outcome. Pure but for the traceback it reads.

Keeps invariant 8: only a failure of the job itself uses an attempt.
"""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeAlias

from tournee.engine.core.errors import LeaseLost, ProviderUnavailable, Snooze, UnknownKind
from tournee.engine.core.job import Failure
from tournee.engine.ports import LedgerContended, LedgerUnavailable

UNKNOWN_KIND_DELAY = timedelta(seconds=30)
LEDGER_DELAY = timedelta(seconds=1)
STACK_FRAMES = 25


@dataclass(frozen=True, slots=True)
class Completed:
    """The ledger says `completed`, with the effects."""


@dataclass(frozen=True, slots=True)
class Returned:
    """An effect-free handler returned: to be completed in a batch."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The job itself failed, or ran out of its time: uses an attempt."""

    failure: Failure
    timed_out: bool = False


@dataclass(frozen=True, slots=True)
class Parked:
    """An outage, or a kind that this process does not know: no attempt used."""

    failure: Failure
    provider: str | None = None
    retry_after: timedelta | None = None
    delay: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Snoozed:
    """The handler put the job off."""

    delay: timedelta


@dataclass(frozen=True, slots=True)
class Released:
    """Given back unfinished: shutdown, or the ledger was away."""

    delay: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Cancelled:
    """An operator asked for it."""


@dataclass(frozen=True, slots=True)
class Lost:
    """Not ours any more: nothing may be written."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """The answer to the COMMIT was lost: the ledger must be asked."""


Outcome: TypeAlias = Completed | Returned | Failed | Parked | Snoozed | Released | Cancelled | Lost | Unknown


def describe_failure(error: BaseException) -> Failure:
    """An exception as it is recorded: class, message, and the last frames of its stack."""
    stack = "".join(traceback.format_exception(error, limit=-STACK_FRAMES))
    try:
        message = str(error) or repr(error)
    except Exception:  # An exception that can't tell what it is must not end the worker's loop.
        message = "an exception that could not be shown"
    return Failure(type(error).__qualname__, message, stack)


def classify_error(error: BaseException) -> Outcome:
    """What an exception that left a handler means for its attempt."""
    match error:
        case Snooze():
            return Snoozed(error.delay)
        case ProviderUnavailable():
            return Parked(describe_failure(error), error.provider, error.retry_after)
        case UnknownKind():
            return Parked(describe_failure(error), delay=UNKNOWN_KIND_DELAY)
        case LeaseLost():
            return Lost()
        case LedgerUnavailable() | LedgerContended():
            return Released(LEDGER_DELAY)
        case _:
            return Failed(describe_failure(error))
