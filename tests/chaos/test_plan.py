"""The plan of a chaos run, the proxy's ear, the measure of recovery, and one short run of the real thing."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from tests.chaos.catalogue import BY_NAME, KINDS, Lane
from tests.chaos.generator import make_groups
from tests.chaos.nemesis import INJECTORS, Injected
from tests.chaos.plan import make_plan
from tests.chaos.recovery import make_progress, measure_recovery
from tests.chaos.report import Report, Verdict
from tests.support.proxy import PostgresqlSpotter

ROOT = Path(__file__).resolve().parents[2]


def test_one_seed_is_one_plan_and_another_seed_another() -> None:
    assert make_plan(7, 10, workers=4) == make_plan(7, 10, workers=4)
    assert make_plan(7, 10, workers=4) != make_plan(8, 10, workers=4)


def test_ten_minutes_hold_120_faults_and_each_kind_three_times() -> None:
    counts = Counter(fault.kind for fault in make_plan(1, 10, workers=4))
    assert counts.total() >= 120
    assert set(counts) == set(BY_NAME)
    assert min(counts.values()) >= 3


def test_two_minutes_hold_each_kind_and_end_in_time() -> None:
    plan = make_plan(1, 2, workers=4)
    assert Counter(fault.kind for fault in plan) == dict.fromkeys(BY_NAME, 1)
    assert all(0 < fault.at_seconds < 120 for fault in plan)


def test_the_faults_of_a_lane_come_one_after_the_other() -> None:
    plan = make_plan(3, 10, workers=4)
    for lane in Lane:
        times = [fault.at_seconds for fault in plan if fault.lane is lane]
        assert times == sorted(times)
        assert len(set(times)) == len(times)


def test_each_kind_has_one_injector() -> None:
    assert INJECTORS.keys() == BY_NAME.keys()
    assert len(BY_NAME) == len(KINDS)


def test_a_batch_is_made_again_as_it_was() -> None:
    assert make_groups(random.Random("7 batch 3"), "3", 40) == make_groups(random.Random("7 batch 3"), "3", 40)


def test_the_proxy_knows_a_commit_and_a_statement_however_the_bytes_arrive() -> None:
    startup = _pack(b"", (196608).to_bytes(4, "big") + b"user\0x\0\0")
    claim = _pack(b"P", b"stmt\0UPDATE jobs SET state = 'running'\0\0\0") + _pack(b"B", b"\0stmt\0\0\0")
    other = _pack(b"P", b"stmt\0SELECT 1\0\0\0") + _pack(b"B", b"\0stmt\0\0\0")
    stream = _pack(b"", (80877103).to_bytes(4, "big")) + startup + claim + _pack(b"Q", b"COMMIT;\0") + other
    for size in (1, 7, len(stream)):
        spotter = PostgresqlSpotter({"claim": b"SET state = 'running'"})
        pieces = [stream[start : start + size] for start in range(0, len(stream), size)]
        assert [name for piece in pieces for name in spotter.spot(piece)] == ["claim", "commit"]


def _pack(kind: bytes, body: bytes) -> bytes:
    return kind + (len(body) + 4).to_bytes(4, "big") + body


def test_recovery_counts_only_jobs_that_were_enqueued_after_the_fault() -> None:
    progress = make_progress([(1.0, 9.0), (5.0, 5.5), (11.0, 14.0), (12.0, 12.5)])
    assert progress.measure(4.0) == 1.5
    assert progress.measure(10.0) == 2.5
    assert progress.measure(20.0) is None


def test_a_run_fails_for_a_violation_a_missed_kind_and_a_backlog() -> None:
    fault = make_plan(1, 2, workers=4)[0]
    injected = Injected(fault, 0.0, 1.0, "injected", "")
    verdict = Verdict(10, {"completed": 10}, 0, 0, 1.0, 2.0, [], 10, 0)
    good = Report(1, 2, verdict, [injected], {}, 10)
    assert good.list_failures() == []
    assert measure_recovery(injected, []) is None
    assert replace(good, verdict=replace(verdict, violations=["x"])).list_failures() == ["x"]
    assert replace(good, verdict=replace(verdict, drain_seconds=None)).list_failures()
    assert replace(good, verdict=replace(verdict, end_seconds=None)).list_failures()
    assert replace(good, faults=[replace(injected, outcome="missed")]).list_failures()
    assert replace(good, wanted_jobs=11).list_failures()


@pytest.mark.slow
async def test_a_short_run_holds(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    kinds = "kill-in-handler,commit-answer-lost,flush-in-handler"
    options = ("--seed", "7", "--minutes", "0.15", "--jobs", "600", "--only", kinds, "--report", str(report))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.chaos", *options),
        cwd=ROOT,
        env=dict(os.environ),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    assert "lost 0, duplicated effects 0" in said.decode()
    assert report.exists()
