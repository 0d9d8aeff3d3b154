"""From the client library's errors to the two that the engine knows.

Keeps the rule that every connection fault, time-out and refusal is a `BrokerUnavailable` with one clear line. Its
texts never hold the URL, because that may hold a password.
"""

from __future__ import annotations

from redis import exceptions

from tournee.engine.ports import BrokerUnavailable

_EXPLANATIONS: tuple[tuple[type[Exception], str], ...] = (
    (exceptions.OutOfMemoryError, "Redis is out of memory and refuses writes: raise maxmemory, or find what fills it"),
    (exceptions.ReadOnlyError, "Redis is a read-only replica now: a failover is under way, or the URL names a replica"),
    (exceptions.BusyLoadingError, "Redis is loading its data set"),
    (exceptions.AuthenticationError, "Redis refuses the password or user name"),
    (exceptions.NoPermissionError, "the Redis user lacks a permission"),
    (exceptions.MasterDownError, "Redis is a replica whose primary is down"),
    (exceptions.NoScriptError, "Redis loses its scripts as fast as they are loaded"),
)

_PREFIXES: tuple[tuple[str, str], ...] = (
    ("MISCONF", "Redis refuses writes because it can't save to disk"),
    ("BUSY", "Redis is busy with a long script"),
    ("OOM", "Redis is out of memory and refuses writes: raise maxmemory, or find what fills it"),
    ("READONLY", "Redis is a read-only replica now: a failover is under way, or the URL names a replica"),
)


def explain_fault(error: BaseException) -> str:
    """One line that says what is wrong with Redis, with the server's own words behind it."""
    words = " ".join(str(error).split())[:300]
    for kind, explanation in _EXPLANATIONS:
        if isinstance(error, kind):
            return f"{explanation} ({words})" if words else explanation
    for prefix, explanation in _PREFIXES:
        # A script's error carries the inner command's code in its text.
        if words.startswith(prefix) or f"-{prefix} " in words:
            return f"{explanation} ({words})"
    if isinstance(error, (TimeoutError, exceptions.TimeoutError)):
        return f"Redis did not answer in time ({words})" if words else "Redis did not answer in time"
    return f"Redis is not reachable or refuses the command ({words or type(error).__name__})"


def unavailable(error: BaseException) -> BrokerUnavailable:
    """The `BrokerUnavailable` for `error`; the caller raises it from `error`."""
    return BrokerUnavailable(explain_fault(error))
