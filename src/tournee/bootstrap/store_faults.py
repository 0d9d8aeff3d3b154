"""Why PostgreSQL or Redis can't be used, in one line that says what to do.

Owns the wording, and which faults a moment may cure. Keeps: no password is ever in a line. Refuses to ask a store
anything: it judges what asking has raised.
"""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

import asyncpg

from tournee.db.migrations import OLDEST_SERVER, ServerTooOld
from tournee.engine.ports import BrokerMisconfigured, BrokerUnavailable
from tournee.kit.errors import SetupError

PASSING: tuple[type[BaseException], ...] = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
)
"""What a moment may cure: the server is away, starting, ending or full."""

FAULTS: tuple[type[Exception], ...] = (
    OSError,
    TimeoutError,
    ValueError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    ServerTooOld,
)
"""All that asking PostgreSQL something simple can raise."""


ANNOUNCE = "it is PgBouncer, as it seems; set TOURNEE_DATABASE_POOLER=pgbouncer"


class StoreFault(SetupError):
    """A store can't be used. `passing`: waiting may cure it, as far as one can tell."""

    def __init__(self, detail: str, remedy: str, *, passing: bool = False) -> None:
        super().__init__(f"{detail}: {remedy}")
        self.detail = detail
        self.remedy = remedy
        self.passing = passing


def judge_database_error(url: str, error: BaseException) -> StoreFault:
    """What to tell of an error that PostgreSQL, or the way to it, has raised."""
    parts = urlsplit(url)
    where = f"PostgreSQL at {_describe_place(parts, 5432)}"
    passing = isinstance(error, PASSING)
    match error:
        case asyncpg.InvalidPasswordError() | asyncpg.InvalidAuthorizationSpecificationError():
            detail = f"{where} refuses user {parts.username!r}"
            remedy = "check user and password in TOURNEE_DATABASE_URL"
        case asyncpg.InvalidCatalogNameError():
            detail = f"{where} has no database {parts.path.lstrip('/')!r}"
            remedy = "create it, or correct TOURNEE_DATABASE_URL"
        case asyncpg.InsufficientPrivilegeError():
            detail = f"{where} lets user {parts.username!r} not do what is needed ({error})"
            remedy = "make that user the owner of the database"
        case asyncpg.TooManyConnectionsError():
            detail, remedy = f"{where} has no free connection", "raise max_connections, or run fewer processes"
        case asyncpg.DiskFullError():
            detail, remedy = f"{where} has no room on its disk", "make room there"
        case ServerTooOld():
            detail = f"{where} is too old ({error})"
            remedy = f"install version {OLDEST_SERVER} or later, or correct TOURNEE_DATABASE_URL"
        case TimeoutError():
            detail, remedy = f"{where} does not answer", "check host and port in TOURNEE_DATABASE_URL"
        case OSError():
            detail = f"{where} can't be reached ({_describe_system_error(error)})"
            remedy = "start it, or correct TOURNEE_DATABASE_URL"
        case _:
            return _judge_other(where, error, passing=passing)
    return StoreFault(detail, remedy, passing=passing)


def _judge_other(where: str, error: BaseException, *, passing: bool) -> StoreFault:
    """What to tell of an error that only its own words explain."""
    detail = f"{where} can't be used ({(str(error).splitlines() or [type(error).__name__])[0]})"
    if _is_unannounced_bouncer(error):
        return StoreFault(detail, ANNOUNCE)
    remedy = "wait a moment, then try again" if passing else "correct TOURNEE_DATABASE_URL, or the server"
    return StoreFault(detail, remedy, passing=passing)


def judge_dropped_rules(url: str) -> StoreFault:
    """What to tell where the session's bounds were accepted and do not hold."""
    where = f"PostgreSQL at {_describe_place(urlsplit(url), 5432)}"
    return StoreFault(f"{where} can't be used (lock_timeout is dropped on the way)", ANNOUNCE)


def _is_unannounced_bouncer(error: BaseException) -> bool:
    """A start-up parameter that PgBouncer refuses, or a statement that was prepared on another server connection."""
    if isinstance(error, asyncpg.DuplicatePreparedStatementError | asyncpg.InvalidSQLStatementNameError):
        return True
    return isinstance(error, asyncpg.ProtocolViolationError) and "startup parameter" in str(error)


def judge_redis_error(url: str, error: BrokerMisconfigured | BrokerUnavailable) -> StoreFault:
    """What to tell of a Redis that does not answer, or can't be the dispatcher."""
    if isinstance(error, BrokerMisconfigured):
        detail, _, remedy = str(error).partition(". ")
        return StoreFault(detail, (remedy or "correct it, or TOURNEE_REDIS_URL").rstrip("."))
    where = f"Redis at {_describe_place(urlsplit(url), 6379)}"
    reason = _pick_reason(str(error))
    detail = f"{where} can't be reached ({reason})"
    return StoreFault(detail, "start it, or correct TOURNEE_REDIS_URL", passing=True)


def _pick_reason(text: str) -> str:
    """What the client of Redis said, which stands in brackets: "… (Error 111 connecting to host:port. Refused.)".

    Read from the text, because a chain of causes can be a circle.
    """
    said = text.partition(" (")[2] or text
    return said.rstrip(".)").rpartition(". ")[2] or "no answer"


def _describe_place(parts: SplitResult, default_port: int) -> str:
    host = parts.hostname
    if host is None:
        return parts.path or "its socket"
    return f"{f'[{host}]' if ':' in host else host}:{parts.port or default_port}"


def _describe_system_error(error: OSError) -> str:
    """The reason alone: a client that tried several addresses puts one text for all in the place of a number."""
    return error.strerror or str(error)
