"""Faults of the stores, each in one line that says what to do and holds no password."""

from __future__ import annotations

import asyncpg
import pytest

from tournee.bootstrap.schema import HEAD_REVISION, REVISIONS, judge_revision
from tournee.bootstrap.store_faults import judge_database_error, judge_redis_error
from tournee.engine.ports import BrokerMisconfigured, BrokerUnavailable

URL = "postgresql://reader:secret@db.example:5433/news"
REDIS = "redis://:secret@cache.example/0"

ERRORS: dict[str, tuple[Exception, str, bool]] = {
    "refused": (ConnectionRefusedError(111, "Connection refused"), "can't be reached (Connection refused)", True),
    "silent": (TimeoutError(), "does not answer", True),
    "no name": (OSError(-2, "Name or service not known"), "Name or service not known", True),
    "starting": (asyncpg.CannotConnectNowError("the database system is starting up"), "is starting up", True),
    "full": (asyncpg.TooManyConnectionsError("too many"), "no free connection", True),
    "password": (asyncpg.InvalidPasswordError("no"), "refuses user 'reader'", False),
    "no database": (asyncpg.InvalidCatalogNameError("no"), "has no database 'news'", False),
    "no right": (asyncpg.InsufficientPrivilegeError("permission denied for schema"), "make that user the owner", False),
    "no room": (asyncpg.DiskFullError("no"), "no room on its disk", False),
    "pgbouncer": (
        asyncpg.ProtocolViolationError("unsupported startup parameter: lock_timeout"),
        "TOURNEE_DATABASE_POOLER=pgbouncer",
        False,
    ),
    "statement of another": (
        asyncpg.DuplicatePreparedStatementError("it already exists"),
        "TOURNEE_DATABASE_POOLER=pgbouncer",
        False,
    ),
    "pgbouncer is full": (asyncpg.ProtocolViolationError("query_wait_timeout"), "wait a moment", True),
    "bad option": (ValueError("sslmode is odd"), "sslmode is odd", False),
}


@pytest.mark.parametrize(("error", "words", "passing"), ERRORS.values(), ids=ERRORS.keys())
def test_a_fault_of_postgresql_is_one_line_with_the_place_and_no_password(
    error: Exception, words: str, passing: bool
) -> None:
    fault = judge_database_error(URL, error)
    assert words in str(fault)
    assert "db.example:5433" in str(fault)
    assert "secret" not in str(fault)
    assert "\n" not in str(fault)
    assert fault.passing is passing


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "Redis is not reachable (Error 111 connecting to cache.example:6379. Connection refused.)",
            "Connection refused",
        ),
        ("Redis is not reachable (Timeout connecting to server)", "Timeout connecting to server"),
        ("closed", "closed"),
        ("", "no answer"),
    ],
)
def test_redis_that_is_away_is_told_with_its_place_and_the_clients_reason(text: str, reason: str) -> None:
    error = BrokerUnavailable(text)
    # Such circles happen, and are no trap.
    error.__cause__ = error
    fault = judge_redis_error(REDIS, error)
    assert fault.detail == f"Redis at cache.example:6379 can't be reached ({reason})"
    assert fault.passing


def test_a_misconfigured_redis_is_told_in_detail_and_remedy() -> None:
    fault = judge_redis_error(REDIS, BrokerMisconfigured("It evicts jobs. Set it to noeviction (CONFIG SET)."))
    assert (fault.detail, fault.remedy) == ("It evicts jobs", "Set it to noeviction (CONFIG SET)")
    assert not fault.passing


def test_an_older_schema_is_to_be_migrated_and_a_newer_one_is_not() -> None:
    assert judge_revision(HEAD_REVISION) is None
    assert "run `tournee migrate`" in str(judge_revision(None))
    assert "older" in str(judge_revision(REVISIONS[0]))
    newer = str(judge_revision("9999_later"))
    assert "unknown to this version" in newer
    assert "run `tournee migrate`" not in newer
