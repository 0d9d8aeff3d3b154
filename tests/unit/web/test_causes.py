"""Why a job waits: each cause has its own sentence, and a job that waits always has one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.unit.web.test_stages import make_attempt, make_job
from tournee.pipeline.store.console_waiting import Waiting
from tournee.web.console.causes import list_causes
from tournee.web.console.language import LANGUAGES, Localiser, find_zone

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
FREE = Waiting(
    queue="processMails", state="pending", run_at=NOON, due=True, tenant="mailbox:1", suspect=False, paused=False,
    provider="mistral", breaker="closed", reason=None, retry_at=None, places=8, in_flight=0, tenant_in_flight=0,
    ahead=0, concurrency=None, per_tenant_concurrency=None, rate_count=None, rate_seconds=None,
    per_tenant_rate_count=None, per_tenant_rate_seconds=None, rate_left=None, per_tenant_rate_left=None,
)  # fmt: skip
LATER = replace(FREE, due=False)
QUEUED = replace(FREE, state="queued")
FRESH = make_job(state="pending", snoozes=0)
RETRY = make_job(state="pending", attempt=1, snoozes=0, attempts=[make_attempt()])
PARKED = make_job(state="pending", attempt=1, outages=1, snoozes=0, attempts=[make_attempt(), make_attempt("parked")])
SNOOZED = make_job(state="pending", snoozes=2)
RATE: dict[str, Any] = {"rate_count": 10, "rate_seconds": 60.0}
TENANT_RATE: dict[str, Any] = {"per_tenant_rate_count": 10, "per_tenant_rate_seconds": 60.0}
CASES: list[tuple[Any, Waiting, list[str]]] = [
    (FRESH, FREE, ["why.soon"]),
    (FRESH, replace(FREE, ahead=5), ["why.turn"]),
    (FRESH, replace(FREE, in_flight=8), ["why.turn"]),
    (FRESH, replace(FREE, suspect=True), ["why.suspect"]),
    (FRESH, QUEUED, ["why.queued"]),
    (FRESH, LATER, ["why.later"]),
    (RETRY, LATER, ["why.retry"]),
    (PARKED, LATER, ["why.parked"]),
    (SNOOZED, LATER, ["why.snoozed"]),
    (RETRY, FREE, ["why.soon"]),
    (FRESH, replace(FREE, paused=True), ["why.paused"]),
    (FRESH, replace(QUEUED, paused=True), ["why.paused"]),
    (FRESH, replace(FREE, breaker="open", reason="503", retry_at=NOON), ["why.away"]),
    (FRESH, replace(FREE, breaker="half-open", reason="503"), ["why.on_trial"]),
    (FRESH, replace(FREE, places=0), ["why.no_worker"]),
    (FRESH, replace(FREE, concurrency=2, in_flight=2), ["why.limit"]),
    (FRESH, replace(FREE, concurrency=2, in_flight=1), ["why.soon"]),
    (FRESH, replace(FREE, per_tenant_concurrency=1, tenant_in_flight=1, in_flight=1), ["why.tenant_limit"]),
    (FRESH, replace(FREE, **RATE, rate_left=0.5), ["why.rate"]),
    (FRESH, replace(FREE, **RATE, rate_left=1.0), ["why.soon"]),
    (FRESH, replace(FREE, **RATE), ["why.soon"]),
    (FRESH, replace(FREE, **TENANT_RATE, per_tenant_rate_left=0.0), ["why.tenant_rate"]),
    (RETRY, replace(LATER, paused=True, places=0), ["why.paused", "why.retry", "why.no_worker"]),
]  # fmt: skip


@pytest.mark.parametrize(("job", "waiting", "keys"), CASES)
def test_each_cause_has_its_own_sentence_in_each_language(job: Any, waiting: Waiting, keys: list[str]) -> None:
    causes = list_causes(job, waiting)
    assert [cause.key for cause in causes] == keys
    for cause in causes:
        said = {Localiser(language, find_zone("UTC")).say(cause.key, cause.values) for language in LANGUAGES}
        assert len(said) == len(LANGUAGES)


def test_a_redis_that_is_away_is_a_cause_of_its_own() -> None:
    assert [cause.key for cause in list_causes(FRESH, FREE, redis_away=True)] == ["why.redis"]


def test_the_next_token_is_told_by_what_the_bucket_lacks() -> None:
    cause = list_causes(FRESH, replace(FREE, **RATE, rate_left=0.5))[0]
    assert cause.values["left"] == timedelta(seconds=3)
    assert Localiser("en", find_zone("UTC")).say(cause.key, cause.values).endswith("in 3.0\u202fs.")
