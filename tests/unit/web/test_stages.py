"""Why an issue was not delivered: one sentence for each way it can go."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tournee.pipeline.store.console_job_rows import Attempt, JobDetail
from tournee.pipeline.store.console_rows import Delivery, MessageDetail, Trace
from tournee.web.console.language import LANGUAGES, Localiser, find_zone
from tournee.web.console.stages import Verdict, judge, list_stages, ran, waited

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def make_message(**fields: Any) -> MessageDetail:
    """An analysed and indexed newsletter, unless `fields` says otherwise."""
    empty: dict[str, Any] = dict.fromkeys(MessageDetail.__dataclass_fields__)
    values: dict[str, Any] = {
        "id": 7,
        "message_class": "newsletter",
        "state": "indexed",
        "parse_notes": [],
        "notifies": True,
        "analysed_at": NOON,
        "indexed_at": NOON,
    }
    return MessageDetail(**{**empty, **values, **fields})


def make_job(queue: str = "processMails", **fields: Any) -> JobDetail:
    """A completed job that waited one second and ran two, unless `fields` says otherwise."""
    empty: dict[str, Any] = dict.fromkeys(JobDetail.__dataclass_fields__)
    values: dict[str, Any] = {
        "id": 3,
        "queue": queue,
        "state": "completed",
        "attempt": 0,
        "max_attempts": 3,
        "crashes": 0,
        "outages": 0,
        "created_at": NOON,
        "started_at": NOON + timedelta(seconds=1),
        "finished_at": NOON + timedelta(seconds=3),
        "attempts": (),
        "audits": (),
    }
    return JobDetail(**{**empty, **values, **fields})


def make_attempt(outcome: str = "failed") -> Attempt:
    return Attempt(3, 1, None, None, NOON, NOON, outcome, "ValueError", "no summary", "stack")


def make_delivery(state: str, error: str | None = None) -> Delivery:
    return Delivery(1, "local", "email", "a@example.org", state, error, NOON, None)


DEAD = make_job(state="dead", attempt=3, attempts=[make_attempt()])
CRASHED = replace(DEAD, attempts=[make_attempt("crashed")])
RETRYING = make_job(state="pending", attempt=1, attempts=[make_attempt()])
PARKED = make_job(state="pending", outages=2, attempts=[make_attempt("parked")])
CASES: list[tuple[str, Trace, str]] = [
    ("verdict.delivered", Trace(make_message(), [make_job()], [make_delivery("sent")]), ""),
    ("verdict.planned", Trace(make_message(), [], [make_delivery("sent"), make_delivery("planned")]), ""),
    ("verdict.failed", Trace(make_message(), [], [make_delivery("failed", "mailbox full")]), "mailbox full"),
    ("verdict.dead", Trace(make_message(state="invalid"), [DEAD], []), "ValueError: no summary"),
    ("verdict.crashed", Trace(make_message(), [CRASHED], []), "ValueError: no summary"),
    ("verdict.cancelled", Trace(make_message(), [make_job(state="cancelled")], []), ""),
    ("verdict.retrying", Trace(make_message(), [RETRYING], []), "ValueError: no summary"),
    ("verdict.parked", Trace(make_message(), [PARKED], []), "ValueError: no summary"),
    ("verdict.pending", Trace(make_message(), [make_job(state="pending")], []), ""),
    ("verdict.queued", Trace(make_message(), [make_job(state="queued")], []), ""),
    ("verdict.running", Trace(make_message(), [make_job(state="running")], []), ""),
    ("verdict.invalid", Trace(make_message(state="invalid", invalid_reason="too long"), [], []), "too long"),
    ("verdict.silent", Trace(make_message(notifies=False), [make_job()], []), ""),
    ("verdict.no_rule", Trace(make_message(), [make_job()], []), ""),
    ("verdict.under_way", Trace(make_message(indexed_at=None), [make_job()], []), ""),
    ("verdict.other", Trace(make_message(message_class="other", state=None), [], []), ""),
    ("verdict.confirmation", Trace(make_message(message_class="confirmation", state=None), [], []), ""),
    ("verdict.unparsable", Trace(make_message(message_class="unparsable", parse_notes=["a", "b"]), [], []), "a; b"),
]  # fmt: skip


@pytest.mark.parametrize(("key", "trace", "detail"), CASES, ids=[case[0] for case in CASES])
def test_each_way_has_its_own_sentence_in_each_language(key: str, trace: Trace, detail: str) -> None:
    verdict = judge(trace, {})
    assert (verdict.key, verdict.detail) == (key, detail)
    said = {Localiser(language, find_zone("UTC")).text(verdict.key, **verdict.values) for language in LANGUAGES}
    assert len(said) == len(LANGUAGES)


@pytest.mark.parametrize("state", ["pending", "queued"])
def test_a_queue_that_is_held_up_is_the_reason(state: str) -> None:
    trace = Trace(make_message(), [make_job(state=state)], [])
    assert judge(trace, {"processMails": "verdict.paused"}) == Verdict(
        "verdict.paused", "warn", {"queue": "processMails", "failed": 0, "allowed": 3}, "", 3
    )
    assert judge(trace, {"indexNews": "verdict.paused"}).key == f"verdict.{state}"


def test_a_running_job_is_not_held_up_by_a_paused_queue() -> None:
    trace = Trace(make_message(), [make_job(state="running")], [])
    assert judge(trace, {"processMails": "verdict.paused"}).key == "verdict.running"


def test_the_first_stage_that_failed_is_the_reason() -> None:
    jobs = [make_job(), make_job("indexNews", id=4, state="dead", attempt=3, attempts=[make_attempt()])]
    verdict = judge(Trace(make_message(indexed_at=None), jobs, []), {})
    assert (verdict.key, verdict.values["queue"], verdict.job_id) == ("verdict.dead", "indexNews", 4)


def test_a_job_that_died_on_the_last_stage_is_the_reason_although_its_alert_has_failed_too() -> None:
    jobs = [make_job(), make_job("indexNews"), replace(DEAD, id=5, queue="sendNotifications")]
    trace = Trace(make_message(), jobs, [make_delivery("failed", "no summary")])
    verdict = judge(trace, {})
    assert (verdict.key, verdict.tone, verdict.job_id) == ("verdict.dead", "bad", 5)
    assert (verdict.values["queue"], verdict.detail) == ("sendNotifications", "ValueError: no summary")
    assert [stage.status for stage in list_stages(trace)] == ["done", "completed", "completed", "dead"]
    # Its rows are pruned in time; what was to be sent still knows.
    pruned = judge(Trace(make_message(), [], trace.deliveries), {})
    assert (pruned.key, pruned.values, pruned.detail) == ("verdict.failed", {"target": "a@example.org"}, "no summary")


def test_a_stage_of_alerts_with_nobody_to_tell_is_not_awaited() -> None:
    told_nobody = Trace(make_message(), [make_job(), make_job("indexNews")], [])
    assert judge(told_nobody, {}).key == "verdict.no_rule"
    assert list_stages(told_nobody)[-1].status == "skipped"
    not_indexed = Trace(make_message(indexed_at=None), [make_job()], [])
    assert list_stages(not_indexed)[-1].status == "none"
    planned = Trace(make_message(), [make_job(), make_job("indexNews")], [make_delivery("planned")])
    assert list_stages(planned)[-1].status == "none"


def test_a_stage_shows_the_state_of_its_worst_job() -> None:
    jobs = [make_job("sendNotifications"), make_job("sendNotifications", id=4, state="dead")]
    assert [stage.status for stage in list_stages(Trace(make_message(), jobs, []))] == ["done", "done", "done", "dead"]


def test_pruned_jobs_are_told_from_stages_that_were_never_reached() -> None:
    received = Trace(make_message(analysed_at=None, indexed_at=None), [], [])
    assert [stage.status for stage in list_stages(received)] == ["done", "none", "none", "none"]
    letter = Trace(make_message(message_class="other"), [], [])
    assert [stage.status for stage in list_stages(letter)] == ["done", "skipped", "skipped", "skipped"]


def test_times_are_told_only_where_they_are_known() -> None:
    assert (waited(make_job()), ran(make_job())) == (timedelta(seconds=1), timedelta(seconds=2))
    assert waited(make_job(started_at=None)) is None
    assert ran(make_job(finished_at=None)) is None
    assert ran(make_job(finished_at=NOON)) is None, "it runs again, the end is that of the run before"
