"""The engine through PgBouncer in transaction mode, with far fewer server connections than clients."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from tests.integration.engine.test_rescue import worker_process
from tests.support.bouncer import POOL_SIZE, Bouncer
from tests.support.engine import Bench, FollowUp, Work, close_bench, insert_effect, open_bench
from tournee.alerts.probes import PostgresqlProbe
from tournee.db.migrations import migrate, read_revision
from tournee.db.pool import Pool, PoolSettings, open_pool
from tournee.engine.client import Job, LedgerUnavailable
from tournee.engine.postgres.session import Session

pytestmark = pytest.mark.external

JOBS = 600
RULES = ("lock_timeout", "idle_in_transaction_session_timeout", "jit", "enable_seqscan", "TimeZone")
SHOW_RULES = "SELECT " + ", ".join(f"current_setting('{name}')" for name in RULES)
KEPT = ("300ms", "600ms", "off", "off", "UTC")


@pytest.fixture
async def benches(database_url: str, redis_url: str, bouncer: Bouncer) -> AsyncIterator[list[Bench]]:
    """Two engines with a pool each, through one bouncer."""
    through = bouncer.redirect(database_url)
    opened = [await open_bench(through, redis_url, through_bouncer=True) for _ in range(2)]
    yield opened
    for bench in opened:
        await close_bench(bench)


@pytest.fixture
async def direct(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection that PgBouncer knows nothing of."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


@pytest.fixture
async def pool(database_url: str, bouncer: Bouncer) -> AsyncIterator[Pool]:
    settings = PoolSettings(
        bouncer.redirect(database_url),
        lock_timeout_seconds=0.3,
        idle_in_transaction_timeout_seconds=0.6,
        command_timeout_seconds=2.0,
        through_bouncer=True,
    )
    pool = await open_pool(settings)
    yield pool
    pool.terminate()


class Plan:
    """One of ten jobs fails at first, one of a hundred for good, one of ten enqueues another."""

    def __init__(self) -> None:
        self._met: set[int] = set()

    async def run(self, job: Job[Work]) -> None:
        n, met = job.payload.n, job.payload.n in self._met
        self._met.add(n)
        if n % 100 == 7 or (n % 10 == 3 and not met):
            raise RuntimeError("as planned")
        async with job.transaction() as tx:
            await insert_effect(tx, job.key)
            if n % 10 == 4:
                await tx.enqueue(FollowUp(n=n))


async def do_nothing(job: Job[FollowUp]) -> None:
    async with job.transaction():
        pass


async def test_each_of_600_jobs_takes_effect_once_through_failures_a_killed_worker_and_an_emptied_redis(
    benches: list[Bench], direct: asyncpg.Connection
) -> None:
    first, second = benches
    plan = Plan()
    for bench in benches:
        bench.handlers.script = plan.run
        bench.engine.registry.add(FollowUp, do_nothing)
    await first.enqueue(*(Work(n=n, note="hang") for n in range(5)))
    async with worker_process(first) as process:
        await first.wait_for_state("running", 5)
        process.kill()
        await process.wait()
    await asyncio.gather(*(first.enqueue_work(35, n) for n in range(5, JOBS, 35)))
    for bench in benches:
        await bench.start(concurrency=8, queues=("work", "follow"))

    async def half_done() -> bool:
        return (await first.count_states()).get("completed", 0) > JOBS / 2

    await second.wait_until(half_done, 60)
    await second.redis.flushall()
    await second.engine.reconcile()
    await first.run_to_rest()

    await judge(first, direct)


async def judge(bench: Bench, direct: asyncpg.Connection) -> None:
    """Of a hundred jobs one is dead, and ten have a follow-up."""
    effects = await bench.read_effects()
    assert sorted(effects) == sorted(f"dead {n}" if n % 100 == 7 else str(n) for n in range(JOBS))
    assert await bench.count_states() == {"completed": JOBS * 109 // 100, "dead": JOBS // 100}
    await bench.assert_consistent()
    await bench.assert_both_sides_agree()
    others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    assert 0 < await direct.fetchval(others) <= POOL_SIZE


async def test_every_statement_keeps_the_sessions_rules_and_leaves_none_behind(
    pool: Pool, database_url: str, bouncer: Bouncer
) -> None:
    answers = await asyncio.gather(*(pool.fetch(SHOW_RULES) for _ in range(40)))
    assert {tuple(row) for [row] in answers} == {KEPT}
    async with pool.acquire() as connection, connection.transaction():
        async with connection.transaction():
            [row] = await connection.fetch(SHOW_RULES)
            assert tuple(row) == KEPT
        [row] = await connection.fetch(SHOW_RULES)
        assert tuple(row) == KEPT
    plain = await asyncpg.connect(bouncer.redirect(database_url), statement_cache_size=0)
    bounds = {await plain.fetchval("SELECT current_setting('lock_timeout')") for _ in range(POOL_SIZE)}
    await plain.close()
    assert bounds == {"0"}


@pytest.mark.parametrize("arguments", [(), (1,)], ids=["simple", "with arguments"])
async def test_a_statement_on_its_own_waits_for_a_lock_no_longer_than_its_bound(
    pool: Pool, direct: asyncpg.Connection, arguments: tuple[int, ...]
) -> None:
    await direct.execute("CREATE TABLE held (n int); INSERT INTO held VALUES (1)")
    condition = "WHERE n = $1" if arguments else ""
    async with direct.transaction():
        await direct.execute("SELECT FROM held FOR UPDATE")
        with pytest.raises(asyncpg.LockNotAvailableError):
            await pool.execute(f"UPDATE held SET n = 2 {condition}", *arguments)
    await pool.execute(f"UPDATE held SET n = 2 {condition}", *arguments)
    assert await pool.fetchval("SELECT n FROM held") == 2


async def test_a_transaction_that_idles_is_ended_and_its_locks_with_it(pool: Pool, direct: asyncpg.Connection) -> None:
    await direct.execute("CREATE TABLE held (n int); INSERT INTO held VALUES (1)")

    with pytest.raises(LedgerUnavailable):
        async with Session(pool).transaction() as connection:
            await connection.execute("UPDATE held SET n = 2")
            async with asyncio.timeout(60):
                assert await direct.fetchval("SELECT n FROM held FOR UPDATE") == 1
            await connection.execute("UPDATE held SET n = 3")
    assert await pool.fetchval("SELECT n FROM held") == 1


async def test_statements_that_are_given_up_leave_no_transaction_and_no_server_connection_taken(
    pool: Pool, direct: asyncpg.Connection
) -> None:
    await direct.execute("CREATE TABLE held (n int)")
    session = Session(pool)
    slow = "INSERT INTO held SELECT 1 FROM pg_sleep(1)"
    for _ in range(2 * POOL_SIZE):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await session.execute(slow)
    # The connection's own time-out means an outage.
    with pytest.raises(LedgerUnavailable):
        await session.execute("SELECT pg_sleep(20)")
    assert await session.fetch_value("SELECT 1") == 1
    running = "SELECT count(*) FROM pg_stat_activity WHERE state <> 'idle' AND query LIKE 'INSERT INTO held%'"
    async with asyncio.timeout(60):
        while await direct.fetchval(running):  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.05)
    assert await direct.fetchval("SELECT count(*) FROM held") == 0


async def test_migrations_and_looks_go_through_it_and_leave_no_prepared_statement(
    empty_database_url: str, bouncer: Bouncer
) -> None:
    url = bouncer.redirect(empty_database_url)
    await asyncio.gather(*(migrate(url) for _ in range(3)))
    assert len({*await asyncio.gather(*(read_revision(url) for _ in range(2 * POOL_SIZE)))}) == 1
    await asyncio.gather(*(PostgresqlProbe(url).look() for _ in range(2 * POOL_SIZE)))
    pool = await open_pool(PoolSettings(url, through_bouncer=True))
    left = "SELECT count(*), pg_sleep(0.05) FROM pg_prepared_statements WHERE name <> ''"
    counts = await asyncio.gather(*(pool.fetchval(left) for _ in range(2 * POOL_SIZE)))
    await pool.close()
    assert set(counts) == {0}
