"""No statement of the engine reads the whole ledger, whatever the planner believes of its size."""

from __future__ import annotations

from benchmarks.plans import read_plans

from tests.support.engine import Bench
from tournee.engine.postgres.session import SQL

OPERATORS_OWN = {"list_jobs", "read_finished_counts"}
"""Run when somebody looks, bounded by a limit or kept for a while: no job waits for them."""


async def test_no_statement_reads_the_whole_ledger_neither_when_it_is_empty_nor_when_it_was_analysed(
    bench: Bench,
) -> None:
    before = await read_plans(bench.database_url)
    await bench.pool.execute(
        "INSERT INTO engine.jobs (queue, key, kind, payload, rank, state, finished_at)"
        " SELECT 'work', 'old ' || n, 'work', '{}', now(), 'completed', now() FROM generate_series(1, 5000) n"
    )
    await bench.pool.execute("ANALYZE engine.jobs")
    after = await read_plans(bench.database_url)

    whole = {name for plans in (before, after) for name, reads in plans.items() if "jobs as a whole" in reads}
    assert whole <= OPERATORS_OWN
    assert {name: sorted(reads) for name, reads in before.items() if name not in OPERATORS_OWN} == {
        name: sorted(reads) for name, reads in after.items() if name not in OPERATORS_OWN
    }


async def test_the_finished_rows_are_counted_in_the_order_in_which_they_lie(bench: Bench) -> None:
    for statement in ("SELECT", "ANALYZE engine.jobs"):
        await bench.pool.execute(statement)
        plan = "\n".join(row[0] for row in await bench.pool.fetch(f"EXPLAIN {SQL.read_finished_counts}"))
        assert "jobs_pkey" in plan, plan
