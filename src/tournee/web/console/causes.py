"""Why a job waits: pure rules over what may keep it from starting.

Owns the order in which causes are told: what an operator can change first. Keeps: a job that waits always has one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from tournee.pipeline.store.console_job_rows import JobDetail
from tournee.pipeline.store.console_waiting import Waiting


@dataclass(frozen=True, slots=True)
class Cause:
    """One sentence: the key of its text with the values in it. `holds`: nothing starts until it is over."""

    key: str
    holds: bool = True
    values: Mapping[str, object] = field(default_factory=dict)


def list_causes(job: JobDetail, waiting: Waiting, *, redis_away: bool = False) -> Sequence[Cause]:
    """All that holds it up; if nothing does, where it stands."""
    found = [*_list_switches(waiting, redis_away), *_list_times(job, waiting)]
    if waiting.places == 0:
        found.append(Cause("why.no_worker", values={"queue": waiting.queue}))
    if waiting.state == "pending" and waiting.due:
        found += _list_limits(waiting)
    return found or [_find_place(waiting)]


def _list_switches(waiting: Waiting, redis_away: bool) -> list[Cause]:
    found = []
    if waiting.paused:
        found.append(Cause("why.paused", values={"queue": waiting.queue}))
    provider = {"provider": waiting.provider, "reason": waiting.reason or "–"}
    if waiting.breaker == "open":
        found.append(Cause("why.away", values={**provider, "at": waiting.retry_at}))
    elif waiting.breaker == "half-open":
        found.append(Cause("why.on_trial", values=provider))
    if redis_away:
        found.append(Cause("why.redis"))
    return found


def _list_times(job: JobDetail, waiting: Waiting) -> list[Cause]:
    if waiting.state != "pending" or waiting.due:
        return []
    last = job.attempts[-1].outcome if job.attempts else ""
    if last == "parked":
        key = "why.parked"
    elif job.attempt:
        key = "why.retry"
    else:
        key = "why.snoozed" if job.snoozes else "why.later"
    return [Cause(key, values={"at": waiting.run_at, "failed": job.attempt, "allowed": job.max_attempts})]


def _list_limits(waiting: Waiting) -> list[Cause]:
    found = []
    if waiting.concurrency is not None and waiting.in_flight >= waiting.concurrency:
        found.append(Cause("why.limit", values={"held": waiting.in_flight, "limit": waiting.concurrency}))
    if waiting.per_tenant_concurrency is not None and waiting.tenant_in_flight >= waiting.per_tenant_concurrency:
        values = {"held": waiting.tenant_in_flight, "limit": waiting.per_tenant_concurrency, "tenant": waiting.tenant}
        found.append(Cause("why.tenant_limit", values=values))
    found += _list_rate("why.rate", waiting.rate_count, waiting.rate_seconds, waiting.rate_left, waiting.tenant)
    found += _list_rate(
        "why.tenant_rate",
        waiting.per_tenant_rate_count,
        waiting.per_tenant_rate_seconds,
        waiting.per_tenant_rate_left,
        waiting.tenant,
    )
    return found


def _list_rate(key: str, count: int | None, seconds: float | None, left: float | None, tenant: str) -> list[Cause]:
    if count is None or seconds is None or left is None or left >= 1:
        return []
    values = {
        "count": count,
        "period": timedelta(seconds=seconds),
        "left": timedelta(seconds=(1 - left) * seconds / count),
        "tenant": tenant,
    }
    return [Cause(key, values=values)]


def _find_place(waiting: Waiting) -> Cause:
    """Nothing holds it up: it waits for others that are before it, or for nothing at all."""
    if waiting.suspect:
        return Cause("why.suspect", holds=False)
    if waiting.state == "queued":
        return Cause("why.queued", holds=False, values={"held": waiting.in_flight, "places": waiting.places})
    if waiting.ahead or waiting.in_flight >= waiting.places:
        ahead = "1000+" if waiting.ahead >= 1000 else waiting.ahead
        values = {"ahead": ahead, "held": waiting.in_flight, "places": waiting.places}
        return Cause("why.turn", holds=False, values=values)
    return Cause("why.soon", holds=False)
