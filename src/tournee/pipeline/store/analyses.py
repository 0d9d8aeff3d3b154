"""The analysis cache and the claims that keep one analysis from being computed twice at once.

Keeps: one analysis per cache key; at most one running claim per key. The caller commits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from tournee.db.pool import Connection
from tournee.pipeline.ports import Analysis, KeyLink
from tournee.pipeline.store.sql import SQL


@dataclass(frozen=True, slots=True)
class NewAnalysis:
    """An analysis to be stored, and by whom it was computed in how many seconds."""

    cache_key: str
    analyser: str
    model: str
    analysis: Analysis
    seconds: float


def read_key_links(stored: Sequence[Mapping[str, Any]]) -> list[KeyLink]:
    """The key links of an analysis, as its row has them."""
    return [KeyLink(link["url"], link["why"], link.get("place", 0)) for link in stored]


async def find_analysis(connection: Connection, cache_key: str) -> int | None:
    """The id of the analysis with this key."""
    analysis_id: int | None = await connection.fetchval(SQL.find_analysis, cache_key)
    return analysis_id


async def claim_analysis(connection: Connection, cache_key: str, job_id: int, duration: timedelta) -> bool:
    """Claim the computing for `duration`; False if another job has it. A job's own claim is renewed."""
    return await connection.fetchval(SQL.claim_analysis, cache_key, job_id, duration) is not None


async def drop_claim(connection: Connection, cache_key: str, job_id: int) -> None:
    """End a claim, if `job_id` has it."""
    await connection.execute(SQL.drop_claim, cache_key, job_id)


async def drop_claims_of_job(connection: Connection, job_id: int) -> None:
    """End all that a dead or cancelled job had claimed."""
    await connection.execute(SQL.drop_claims_of_job, job_id)


async def insert_analysis(connection: Connection, new: NewAnalysis) -> int | None:
    """Store it; None if the key has one already."""
    analysis = new.analysis
    analysis_id: int | None = await connection.fetchval(
        SQL.insert_analysis,
        new.cache_key,
        new.analyser,
        new.model,
        analysis.title,
        analysis.summary,
        analysis.summary_language,
        analysis.language,
        list(analysis.topics),
        list(analysis.entities),
        [asdict(link) for link in analysis.key_links],
        analysis.reading_minutes,
        analysis.kind,
        analysis.tokens_in,
        analysis.tokens_out,
        analysis.cost_microcents,
        new.seconds,
    )
    return analysis_id
