"""The shape of every engine statement's generic plan: which table is read, and whether by a key.

Owns no figures: `benchmarks.growth` compares the shapes over the size of the ledger, a test holds them at rest.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import asyncpg

from tournee.db.queries import load_queries

SETTINGS = "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET jit = off"
"""What `tournee.db.pool` sets for every session, and no plan that knows its parameters."""


async def read_plans(database_url: str) -> dict[str, tuple[str, ...]]:
    """By statement: its reads in the plan's order, each as `<table> by key` or `<table> as a whole`."""
    plans: dict[str, tuple[str, ...]] = {}
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(SETTINGS)
        for name, text in load_queries("tournee.engine.postgres").items():
            nulls = ", ".join("NULL" for _ in (await connection.prepare(text)).get_parameters())
            await connection.execute(f"PREPARE {name} AS {text}")
            call = f"{name} ({nulls})" if nulls else name
            answer = await connection.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE {call}")
            plans[name] = tuple(list_reads(json.loads(answer)[0]["Plan"]))
    finally:
        await connection.close()
    return plans


def list_reads(node: dict[str, Any]) -> Iterator[str]:
    """Every read of a table below a node. A bitmap is read by what its index is."""
    children = node.get("Plans", ())
    if "Relation Name" in node and node["Node Type"] != "ModifyTable":
        found = (node, *children) if node["Node Type"] == "Bitmap Heap Scan" else (node,)
        keyed = any("Index Cond" in one for one in found)
        yield f"{node['Relation Name']} {'by key' if keyed else 'as a whole'}"
    for child in children:
        yield from list_reads(child)
