"""One chaos run from beginning to end: stage, load and nemesis, calm, drain, verdict."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tests.chaos.calls import Window, judge_calls
from tests.chaos.checker import Drained, judge, wait_until_drained
from tests.chaos.generator import GeneratorSettings
from tests.chaos.nemesis import Injected, Nemesis
from tests.chaos.plan import make_plan
from tests.chaos.recovery import Progress, measure_recovery, read_progress
from tests.chaos.report import Report, Verdict
from tests.chaos.stage import WORKERS, Stage, open_stage, start_fleet

LOAD_SHARE = 0.97
"""Of the run's time over which jobs are enqueued."""
JOBS_PER_MINUTE = 10_000
LOOK_SECONDS = 15.0
PULSE = """
SELECT (SELECT count(*) FROM engine.ready), (SELECT count(*) FROM engine.inflight), (SELECT count(*) FROM engine.dead),
       (SELECT count(*) FROM engine.workers), (SELECT count(*) FROM engine.jobs WHERE state = 'completed')
"""


@dataclass(frozen=True, slots=True)
class RunSettings:
    """One run. `jobs` None: in proportion to its length. `only`: just these kinds of faults."""

    seed: int
    minutes: float
    jobs: int | None = None
    only: Sequence[str] = ()
    keep_logs: str | None = None
    """A folder into which the processes' logs are copied."""

    @property
    def wanted_jobs(self) -> int:
        return self.jobs if self.jobs is not None else int(JOBS_PER_MINUTE * self.minutes)


async def run_chaos(settings: RunSettings, say: Callable[[str], None]) -> Report:
    """Everything; the servers and processes are gone when it returns."""
    plan = make_plan(settings.seed, settings.minutes, WORKERS, settings.only)
    load = GeneratorSettings(settings.seed, settings.wanted_jobs, 0.0, settings.minutes * 60 * LOAD_SHARE)
    async with open_stage(load) as stage:
        await start_fleet(stage.members)
        began_at = time.time() + 1.0
        for caller in stage.callers:
            caller.settings = replace(caller.settings, generator=replace(load, began_at=began_at))
        await start_fleet(stage.callers)
        say(f"seed {settings.seed}: {len(plan)} faults planned, {settings.wanted_jobs} jobs")
        nemesis = Nemesis(stage, plan, began_at, say)
        pulse = asyncio.create_task(_tell_pulse(stage, began_at, say))
        try:
            await nemesis.run()
            await asyncio.sleep(max(0.0, began_at + settings.minutes * 60 - time.time()))
            stage.calm()
            say("the faults have stopped")
            drained = await wait_until_drained(stage)
        finally:
            pulse.cancel()
            _keep_logs(stage, settings.keep_logs)
        verdict, queues = await _reach_verdict(stage, drained)
        recovery = {entry.fault.number: measure_recovery(entry, queues) for entry in nemesis.history}
        faults = sorted(nemesis.history, key=lambda entry: entry.fault.number)
        return Report(
            settings.seed,
            settings.minutes,
            verdict,
            faults,
            recovery,
            settings.wanted_jobs,
            dict(stage.refusals),
            judge_calls(stage.calls.read(), [_read_window(entry) for entry in faults]),
        )


def _read_window(entry: Injected) -> Window:
    return Window(entry.fault.kind, entry.began_at, entry.ended_at)


async def _reach_verdict(stage: Stage, drained: Drained) -> tuple[Verdict, Sequence[Progress]]:
    """What happened is worth a report even if nobody can judge it."""
    try:
        async with stage.open_pool() as pool:
            return await judge(stage, pool, drained), await read_progress(pool)
    except Exception as error:
        why = f"no verdict was reached: {type(error).__name__}: {error}"
        return Verdict(0, {}, 0, 0, drained.backlog, drained.all, [why], 0, 0), []


async def _tell_pulse(stage: Stage, began_at: float, say: Callable[[str], None]) -> None:
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        at = time.time() - began_at
        try:
            async with stage.connect() as connection:
                pending, flying, dead, workers, completed = await connection.fetchrow(PULSE)  # type: ignore[misc]
        except Exception as error:
            say(f"{at:6.1f} s  · no answer: {type(error).__name__}")
            continue
        live = f"{pending} pending, {flying} in flight, {workers} workers"
        say(f"{at:6.1f} s  · {live}; {completed} completed, {dead} dead")


def _keep_logs(stage: Stage, folder: str | None) -> None:
    if folder is None:
        return
    from pathlib import Path
    from shutil import copy

    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    for log in [
        *stage.folder.glob("*.log"),
        *(stage.servers_home / "logs").glob("*.log"),
        stage.folder / "journal",
        stage.folder / "calls",
    ]:
        copy(log, target)
