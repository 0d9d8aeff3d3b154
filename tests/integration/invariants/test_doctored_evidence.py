"""Each branch of each check reports what it is for: the evidence of a sound run, with one thing in it made wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.support.engine import OPERATOR, Work
from tests.support.invariants import assert_all_hold, check_all
from tests.support.invariants.evidence import Change, Effect, Evidence, Flush, JobEvidence, Start
from tests.support.invariants.scenario import Scenario, name_broken, write_evidence
from tournee.engine.client import Job

Doctor = Callable[[Evidence], Evidence]


@pytest.fixture
async def sound(scenario: Scenario) -> Evidence:
    """Four jobs: one completed, one failed once and completed, one dead, one dead and redriven and completed."""
    bench = scenario.bench

    async def script(job: Job[Work]) -> None:
        died = any(dead.job_id == job.id for dead in bench.handlers.dead)
        if job.payload.note == "dies" or (job.payload.note == "fails" and job.attempt_number == 1 and not died):
            raise ValueError("on request")
        if job.payload.note == "dies once" and not died:
            raise ValueError("on request")
        await write_evidence(job)

    scenario.script = script
    await bench.start()
    notes = ("", "fails", "dies", "dies once")
    answers = await bench.enqueue(*(Work(n=n, note=note) for n, note in enumerate(notes)))
    scenario.journal.note_acknowledged("work", [str(n) for n in range(4)])
    await bench.run_to_rest()
    await bench.engine.redrive([answers[3].job_id], OPERATOR)
    await bench.run_to_rest()
    await scenario.settle()
    evidence = await scenario.gather()
    assert_all_hold(evidence, at_rest=True)
    return evidence


def find_job(evidence: Evidence, key: str) -> JobEvidence:
    return evidence.ledger[evidence.keys["work", key]]


def change_job(evidence: Evidence, key: str, **fields: object) -> Evidence:
    job = find_job(evidence, key)
    return replace(evidence, ledger={**evidence.ledger, job.id: replace(job, **fields)})  # type: ignore[arg-type]


def change_history(evidence: Evidence, key: str, old: str | None, new: str | None, **fields: object) -> Evidence:
    """Rewrite the first change of a job that went from `old` to `new`."""
    job = find_job(evidence, key)
    history = list(evidence.history or ())
    place = next(n for n, c in enumerate(history) if c.job_id == job.id and (c.old_state, c.new_state) == (old, new))
    history[place] = replace(history[place], **fields)  # type: ignore[arg-type]
    return replace(evidence, history=history)


def add_change(evidence: Evidence, key: str, old: str | None, new: str | None) -> Evidence:
    """One more change after the last of a job."""
    history: list[Change] = list(evidence.history or ())
    last = [change for change in history if change.job_id == find_job(evidence, key).id][-1]
    wrong = replace(last, seq=last.seq + 1, xid="0", old_state=old, new_state=new, old_lease=last.new_lease)
    return replace(evidence, history=[*history, replace(wrong, old_attempt=last.new_attempt)])


def charge(evidence: Evidence, **fields: object) -> Evidence:
    """The failed attempt of job 1 as a crash."""
    return change_history(evidence, "1", "running", "pending", new_crashes=1, **fields)


def empty_queue_at_claim(evidence: Evidence) -> Evidence:
    job = find_job(evidence, "0")
    queued = next(c for c in evidence.history or () if c.job_id == job.id and c.new_state == "queued")
    return replace(evidence, told=replace(evidence.told, flushes=[Flush(queued.at, 0.0)]))


def hold_queued(evidence: Evidence, *, locked: bool) -> Evidence:
    """A queued row of a paused queue, its entry fetched and not yet claimed."""
    job = find_job(evidence, "0")
    active = frozenset({job.entry})
    effects = [effect for effect in evidence.effects if effect.job_id != job.id]
    broker = replace(evidence.broker["work"], active=active, locked=active if locked else frozenset())
    held = change_job(replace(evidence, inflight=[("work", job.id)], effects=effects), "0", state="queued")
    queues = {**evidence.queues, "work": replace(evidence.queues["work"], shut=True)}
    return replace(held, queues=queues, broker={**evidence.broker, "work": broker})


DOCTORED: dict[str, tuple[int, Doctor]] = {
    "a completed row stands in ready": (1, lambda e: replace(e, ready=[find_job(e, "0").id])),
    "a narrow table tells of no row": (1, lambda e: replace(e, inflight=[("work", 999)])),
    "a row moves as none may": (1, lambda e: change_history(e, "0", "running", "completed", old_state="queued")),
    "a row begins in the middle": (1, lambda e: change_history(e, "0", None, "pending", new_state="queued")),
    "a row is deleted while it lives": (1, lambda e: add_change(e, "0", "queued", None)),
    "a dead row left an effect": (3, lambda e: replace(e, effects=[*e.effects, Effect(find_job(e, "2").id, 3, e.at)])),
    "a job left two effects": (3, lambda e: replace(e, effects=[*e.effects, e.effects[0]])),
    "a completed row left none": (3, lambda e: replace(e, effects=e.effects[1:])),
    "a follow-up of a job that is dead": (
        4,
        lambda e: change_job(e, "0", payload={"parent": find_job(e, "2").id}),
    ),
    "a follow-up that is missing": (4, lambda e: change_job(e, "0", payload={"follow_ups": 1})),
    "a follow-up that nobody promised": (4, lambda e: change_job(e, "0", payload={"parent": find_job(e, "1").id})),
    "a rolled-back enqueue has a row": (
        5,
        lambda e: replace(e, told=replace(e.told, acknowledged=frozenset(), rolled_back=frozenset({("work", "0")}))),
    ),
    "a lease falls": (6, lambda e: change_history(e, "0", "running", "completed", new_lease=0)),
    "a lease rises without a claim": (6, lambda e: change_history(e, "0", "running", "completed", new_lease=2)),
    "an older lease writes": (
        6,
        lambda e: replace(e, effects=[replace(x, lease=x.lease - 1) for x in e.effects]),
    ),
    "a completed row moves": (7, lambda e: add_change(e, "0", "completed", "pending")),
    "a discard that nobody asked for": (7, lambda e: add_change(e, "2", "dead", "cancelled")),
    "a cancel that nobody asked for": (7, lambda e: add_change(e, "0", "pending", "cancelled")),
    "a dead letter is deleted": (7, lambda e: add_change(e, "2", "dead", None)),
    "too many attempts": (8, lambda e: change_job(e, "2", max_attempts=2)),
    "an attempt that no failure used": (8, lambda e: change_job(e, "0", attempt=1)),
    "two attempts at once": (8, lambda e: change_history(e, "1", "running", "pending", new_attempt=2)),
    "a crash beside others is charged": (9, lambda e: charge(e, new_attempt=0)),
    "a crash of nobody's is charged": (9, lambda e: charge(e, new_attempt=0, old_alone=True)),
    "a killer that is not dead": (
        9,
        lambda e: replace(e, told=replace(e.told, kills=frozenset({(find_job(e, "0").id, find_job(e, "0").lease)}))),
    ),
    "a letter is not shown": (10, lambda e: replace(e, dead_letters=frozenset())),
    "a letter too many is shown": (10, lambda e: replace(e, dead_letters=e.dead_letters | {"d999-1"})),
    "a redrive that brought nothing back": (
        10,
        lambda e: replace(
            e, audit=[replace(a, job_ids=(*a.job_ids, 999)) if a.action == "redrive" else a for a in e.audit]
        ),
    ),
    "a queued job that a flush held up": (11, empty_queue_at_claim),
    "a flush that nobody saw": (
        11,
        lambda e: replace(e, broker={**e.broker, "work": replace(e.broker["work"], epoch=None)}),
    ),
    "a claim before its time": (
        12,
        lambda e: change_history(e, "0", "queued", "running", run_at=e.at + timedelta(seconds=1)),
    ),
    "a start that nobody claimed": (
        13,
        lambda e: replace(e, told=replace(e.told, starts=[*e.told.starts, Start(find_job(e, "0").id, 9, e.at)])),
    ),
    "a claim of a pending row": (13, lambda e: change_history(e, "0", "queued", "running", old_state="pending")),
    "an entry of no row": (
        14,
        lambda e: replace(e, broker={**e.broker, "work": replace(e.broker["work"], active=frozenset({"j1-9"}))}),
    ),
    "an entry whose fetcher is gone": (14, lambda e: hold_queued(e, locked=False)),
    "an acknowledged key is in no row": (
        15,
        lambda e: replace(e, told=replace(e.told, acknowledged=frozenset({("work", "999")}))),
    ),
}


async def test_each_wrong_thing_is_reported_by_the_check_that_is_for_it_and_by_no_other(sound: Evidence) -> None:
    reported = {name: name_broken(check_all(doctor(sound), at_rest=True)) for name, (_, doctor) in DOCTORED.items()}
    assert reported == {name: {invariant} for name, (invariant, _) in DOCTORED.items()}


async def test_a_queue_that_is_shut_may_hold_jobs_at_rest(sound: Evidence) -> None:
    assert_all_hold(hold_queued(sound, locked=True), at_rest=True)


async def test_where_no_recorder_ran_the_checks_say_nothing_of_a_sound_engine(sound: Evidence) -> None:
    audit = [replace(line, xid="") for line in sound.audit]
    assert_all_hold(replace(sound, history=None, audit=audit), at_rest=True)
