"""A pool for tests: it bounds what hangs, and nothing that only waits for its share of the machine."""

from __future__ import annotations

from typing import Any

from tournee.db.pool import PoolSettings


def make_patient(database_url: str, **more: Any) -> PoolSettings:
    """A test that stands still for seconds while others have the machine must not lose its transaction by that."""
    given: dict[str, Any] = {
        "connect_timeout_seconds": 30.0,
        "idle_in_transaction_timeout_seconds": 60.0,
        "tcp_user_timeout_seconds": 60.0,
        **more,
    }
    return PoolSettings(database_url, **given)
