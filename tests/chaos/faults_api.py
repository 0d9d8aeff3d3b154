"""Faults of the enqueuing side: the API killed with a request in its hands or stopped, its callers killed."""

from __future__ import annotations

import asyncio
import signal
import time

from tests.chaos.calls import BROKEN, LATE, LIMIT_SECONDS, REFUSED, Call
from tests.chaos.faults_process import kill
from tests.chaos.injecting import Injector, require
from tests.chaos.plan import PlannedFault
from tests.chaos.stage import Stage

POINT_SECONDS = 8.0
FEEL_SECONDS = 10.0


async def kill_api(stage: Stage, fault: PlannedFault) -> str:
    """Before the COMMIT nothing of the request may be there; after it all of it, though nobody was told."""
    member = stage.apis[0]
    point = "posting" if fault.first_variant else "posted"
    require(await member.reach(point, freezes=True, seconds=POINT_SECONDS), f"nobody came by {point}")
    killed_at = time.time()
    detail = await kill(stage, member, f"at {point}")
    unanswered = await _wait_felt(stage, killed_at, {BROKEN, REFUSED})
    broken = sum(call.outcome == BROKEN for call in unanswered)
    require(broken, "nobody was waiting for its answer")
    return f"{detail}: {broken} requests broken off, {len(unanswered) - broken} refused"


async def stop_api(stage: Stage, fault: PlannedFault) -> str:
    member = stage.apis[0]
    await member.wait_ready()
    pid, stopped_at = member.pid, time.time()
    member.signal(signal.SIGSTOP)
    try:
        late = await _wait_felt(stage, stopped_at, {LATE}, LIMIT_SECONDS + FEEL_SECONDS)
        stood = member.pid == pid and member.read_state() == "T"
    finally:
        member.signal(signal.SIGCONT)
    seconds = time.time() - stopped_at
    require(stood and late, f"{member.name} did not stand still, or nobody waited for it")
    return f"{member.name} stood still for {seconds:.1f} s: {len(late)} requests given up after {LIMIT_SECONDS:g} s"


async def kill_caller(stage: Stage, fault: PlannedFault) -> str:
    return await kill(stage, stage.callers[0], "at any time")


async def _wait_felt(stage: Stage, since: float, outcomes: set[str], seconds: float = FEEL_SECONDS) -> list[Call]:
    """The requests that ended so since then, as soon as there is one; what comes at the same moment is counted too."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if any(call.ended_at >= since and call.outcome in outcomes for call in stage.calls.read()):
            await asyncio.sleep(0.2)
            break
        await asyncio.sleep(0.1)
    return [call for call in stage.calls.read() if call.ended_at >= since and call.outcome in outcomes]


INJECTORS: dict[str, Injector] = {
    "api-killed": kill_api,
    "api-stopped": stop_api,
    "kill-caller": kill_caller,
}
