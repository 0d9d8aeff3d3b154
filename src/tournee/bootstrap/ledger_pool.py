"""The connections to the ledger's database: how many, how long each may wait, and whether PgBouncer stands before it.

Keeps: nothing runs on connections that do not keep the session's rules. Refuses a PgBouncer that nobody has told of.
"""

from __future__ import annotations

from tournee.bootstrap.store_faults import FAULTS, judge_database_error, judge_dropped_rules
from tournee.bootstrap.stores import Stores
from tournee.db.pool import Pool, PoolSettings, keeps_rules, open_pool
from tournee.settings import Settings

PGBOUNCER = "pgbouncer"
MAX_CONNECTIONS = 16


async def open_ledger_pool(settings: Settings, stores: Stores) -> Pool:
    """The caller closes it. Raises `StoreFault`."""
    pool_settings = describe_pool(settings, stores)
    try:
        pool = await open_pool(pool_settings)
    except FAULTS as error:
        raise judge_database_error(stores.database_url, error) from error
    try:
        kept = await keeps_rules(pool, pool_settings)
    except FAULTS as error:
        pool.terminate()
        raise judge_database_error(stores.database_url, error) from error
    if not kept:
        pool.terminate()
        raise judge_dropped_rules(stores.database_url)
    return pool


def describe_pool(settings: Settings, stores: Stores) -> PoolSettings:
    """No session may outlast the lease, or a stuck process would hold rows longer than it may hold jobs."""
    return PoolSettings(
        stores.database_url,
        min_size=1,
        max_size=MAX_CONNECTIONS,
        lock_timeout_seconds=settings.lease_seconds * 0.6,
        idle_in_transaction_timeout_seconds=settings.lease_seconds * 0.8,
        tcp_user_timeout_seconds=settings.lease_seconds * 0.8,
        through_bouncer=stores.pooler == PGBOUNCER,
    )
