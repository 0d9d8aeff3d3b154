"""What can go wrong with a job, and what each exception means for its attempt."""

from __future__ import annotations

from datetime import timedelta


class EngineError(Exception):
    """Base of the engine's own errors."""


class InvalidPayload(EngineError, ValueError):
    """A payload that can't be enqueued: too large, no key, not JSON. Says which and what is allowed."""


class InvalidSchedule(EngineError, ValueError):
    """A schedule that can't be declared: its expression or time zone means nothing, or its payload is refused."""


class UnknownQueue(EngineError, LookupError):
    """A job names a queue that was never declared; nothing was inserted."""


class LeaseLost(EngineError):
    """The job is not ours any more: rescued, cancelled or completed elsewhere. All of the transaction rolled back."""


class TransactionMissing(EngineError):
    """A handler that is not declared effect-free returned without having used `job.transaction()`."""


class Snooze(EngineError):
    """Raised by a handler to be run later; uses no attempt."""

    def __init__(self, delay: timedelta) -> None:
        super().__init__(f"put off for {delay.total_seconds():g} s")
        self.delay = delay


class ProviderUnavailable(EngineError):
    """A provider is down, limits us or refuses our credentials: the job is parked, no attempt is used.

    `retry_after` is what the provider asked for; with it the breaker opens at once.
    """

    def __init__(self, provider: str, message: str, retry_after: timedelta | None = None) -> None:
        super().__init__(f"{provider}: {message}")
        self.provider = provider
        self.message = message
        self.retry_after = retry_after


class PayloadOutdated(EngineError):
    """A job's payload is of an older version, and its type says no way from there: a failure of the job."""


class UnknownKind(EngineError):
    """No handler of this process knows the job's kind or version: a rolling deploy. Parked, never dead."""
