"""Faults of processes: killed at an exact point, stopped, blocked, misled."""

from __future__ import annotations

import asyncio
import signal
import time
from datetime import timedelta

import asyncpg

from tests.chaos.fleet import Member
from tests.chaos.injecting import (
    Injector,
    Missed,
    list_victims,
    reach_first,
    read_count,
    require,
    slip_in,
    wait_until_more,
)
from tests.chaos.plan import PlannedFault
from tests.chaos.process import LEASE_SECONDS
from tests.chaos.stage import Stage
from tests.chaos.workload import Novel, Task
from tournee.engine.client import DeadQuery, JobQuery, JobState, Operator
from tournee.engine.postgres.store import PostgresJobStore

AWAY_SECONDS = LEASE_SECONDS + 1.5
MORE_THAN_ALLOWED = 220
OPERATOR = Operator("chaos", "the fault operator")


async def kill(stage: Stage, member: Member, how: str) -> str:
    """SIGKILL, noted. The fault is over when the process is dead: what follows is recovery."""
    stage.journal.note_outside_fault(f"{member.name} killed {how}")
    pid = member.pid
    require(await member.kill(), f"{member.name} died of something else")
    return f"{member.name} ({pid}) killed {how}"


def kill_at(point: str) -> Injector:
    """Kill a worker that stands at this point."""

    async def inject(stage: Stage, fault: PlannedFault) -> str:
        member = await reach_first(list_victims(stage, fault), point, freezes=True)
        return await kill(stage, member, f"at {point}")

    return inject


async def kill_after_commit(stage: Stage, fault: PlannedFault) -> str:
    point = "committed" if fault.first_variant else "completed"
    member = await reach_first(list_victims(stage, fault), point, freezes=True)
    return await kill(stage, member, f"at {point}")


async def kill_relay(stage: Stage, fault: PlannedFault) -> str:
    members = [*stage.engines, *stage.apis, *list_victims(stage, fault)]
    member = await reach_first(members, "marked", freezes=True)
    return await kill(stage, member, "between mark and add")


async def kill_leader(stage: Stage, fault: PlannedFault) -> str:
    async with stage.connect() as connection:
        holder = await connection.fetchval("SELECT holder FROM engine.leaders WHERE role = 'rescuer'")
    leader = next((member for member in stage.members if member.holder == str(holder)), stage.engines[0])
    return await kill(stage, leader, "as the leader")


async def stop_past_lease(stage: Stage, fault: PlannedFault) -> str:
    member = list_victims(stage, fault)[0]
    await member.wait_ready()
    stage.journal.note_outside_fault(f"{member.name} stopped")
    pid, began = member.pid, time.monotonic()
    member.signal(signal.SIGSTOP)
    try:
        await asyncio.sleep(AWAY_SECONDS)
        stood = member.pid == pid and member.read_state() == "T"
    finally:
        member.signal(signal.SIGCONT)
    seconds = time.monotonic() - began
    require(stood and seconds > LEASE_SECONDS, f"{member.name} did not stand still for a lease")
    return f"{member.name} stood still for {seconds:.1f} s"


async def block_loop(stage: Stage, fault: PlannedFault) -> str:
    member = list_victims(stage, fault)[0]
    await member.wait_ready()
    stage.journal.note_outside_fault(f"{member.name} blocked")
    answer = await member.ask(do="block", seconds=AWAY_SECONDS)
    require(answer, f"{member.name} died meanwhile")
    assert answer is not None
    return f"the loop of {member.name} blocked for {answer['took_seconds']:.1f} s"


async def segfault(stage: Stage, fault: PlannedFault) -> str:
    """The poisoned job must end dead by its crashes, and its neighbours completed."""
    name = f"segfault-{fault.number}"
    neighbours = [Task(key_text=f"{name}-{place}") for place in range(50)]
    poison = Task(key_text=f"{name}-poison", act="poison")
    await slip_in(stage, [*neighbours[:25], poison, *neighbours[25:]])
    before = len(stage.list_segfaults())
    dead = f"SELECT count(*) FROM engine.jobs WHERE queue = 'work' AND key = '{poison.key()}' AND state = 'dead'"
    killed = await wait_until_more(stage, dead, 0, 30.0)
    crashes = len(stage.list_segfaults()) - before
    require(crashes, "nobody ran the poisoned job yet; its end is judged with all others")
    return f"a poisoned job among 50: {crashes} processes died of it, it is {'dead' if killed else 'not dead yet'}"


async def skew(stage: Stage, fault: PlannedFault) -> str:
    member = list_victims(stage, fault)[0]
    await member.wait_ready()
    seconds = 600 if fault.first_variant else -600
    answer = await member.ask(do="skew", seconds=seconds)
    pid = member.pid
    await asyncio.sleep(5)
    stayed = member.pid == pid
    member.send(do="skew", seconds=0)
    off = answer["clock_seconds"] if answer else 0.0
    require(stayed and abs(off) > 500, f"{member.name} died meanwhile")
    return f"the clock of {member.name} off by {off:.0f} s for 5 s"


async def unknown_kind(stage: Stage, fault: PlannedFault) -> str:
    """Until a deploy has reached every worker nobody knows the kind."""
    await asyncio.gather(*(member.forget() for member in stage.workers))
    name = f"novel-{fault.number}"
    claimed = f"SELECT count(*) FROM engine.jobs WHERE kind = 'novel' AND key LIKE '{name}-%' AND lease > 0"
    try:
        await slip_in(stage, [Novel(key_text=f"{name}-{place}") for place in range(10)])
        met = await wait_until_more(stage, claimed, 0, 20.0)
        await asyncio.sleep(1)
        done = await read_count(stage, f"{claimed} AND state = 'completed'")
    finally:
        for member in stage.workers:
            member.learn()
    require(met and not done, "no worker that did not know the kind met it")
    return "10 jobs of a kind that came before its handler, parked"


async def restart_gracefully(stage: Stage, fault: PlannedFault) -> str:
    member = list_victims(stage, fault)[0]
    await member.wait_ready()
    member.ready.clear()
    stage.journal.note_outside_fault(f"{member.name} restarted")
    pid = member.pid
    member.signal(signal.SIGTERM)
    ready = await member.wait_ready(40.0)
    require(ready and member.exits.get(pid) == 0, f"{member.name} did not end by itself: {member.exits.get(pid)}")
    return f"{member.name} ended by itself, and restarted"


async def usurp(stage: Stage, fault: PlannedFault) -> str:
    members = [stage.engines[0], stage.engines[1], list_victims(stage, fault)[0]]
    before = await asyncio.gather(*(member.ask(do="usurp", on=True) for member in members))
    await asyncio.sleep(5)
    after = await asyncio.gather(*(member.ask(do="usurp", on=False) for member in members))
    taken = sum(now["usurped"] - was["usurped"] for was, now in zip(before, after, strict=True) if was and now)
    require(taken > 0, "no role was taken that another held")
    return f"three processes played every role for 5 s; {taken} times one that another held"


async def exhaust_pool(stage: Stage, fault: PlannedFault) -> str:
    if fault.first_variant:
        member = list_victims(stage, fault)[0]
        await member.wait_ready()
        member.send(do="take-pool", seconds=2.5)
        if not await member.wait_reached("pool-taken", 30.0):
            raise Missed(f"the pool of {member.name} was never free")
        await asyncio.sleep(2.5)
        return f"all of {member.name}'s connections taken"
    return await use_up_connections(stage)


async def use_up_connections(stage: Stage) -> str:
    connects = [asyncpg.connect(stage.database_url, timeout=15) for _ in range(MORE_THAN_ALLOWED)]
    answers = await asyncio.gather(*connects, return_exceptions=True)
    taken = [answer for answer in answers if isinstance(answer, asyncpg.Connection)]
    try:
        if not any(isinstance(answer, asyncpg.TooManyConnectionsError) for answer in answers):
            raise Missed("the server had connections left, or was away")
        await asyncio.sleep(2.5)
    finally:
        for connection in taken:
            connection.terminate()
    return f"the server's connections used up by {len(taken)} idle ones"


async def act_as_operator(stage: Stage, fault: PlannedFault) -> str:
    """With some to cancel that are not due, beside those in flight, and some that are sure to die."""
    name = f"operator-{fault.number}"
    await slip_in(stage, [Task(key_text=f"{name}-{place}") for place in range(3)], timedelta(seconds=20))
    await slip_in(stage, [Task(key_text=f"{name}-doomed-{place}", act="doomed") for place in range(3)])
    died = f"SELECT count(*) FROM engine.jobs WHERE queue = 'work' AND key LIKE '{name}-doomed-%' AND state = 'dead'"
    await wait_until_more(stage, died, 2, 20.0)
    async with stage.open_pool() as pool:
        store = PostgresJobStore(pool)
        live = await store.list_jobs(
            JobQuery(states=[JobState.PENDING, JobState.QUEUED, JobState.RUNNING], kind="task", limit=5)
        )
        cancelled = await store.cancel_jobs([job.id for job in live], OPERATOR, lambda _kind: None)
        dead = [job.job_id for job in await store.list_dead(DeadQuery(limit=40)) if job.payload.get("act") == "doomed"]
        redriven = await store.redrive_dead(dead[:4], OPERATOR, lambda _kind: None)
        discarded = await store.discard_dead(dead[4:6], OPERATOR, lambda _kind: None)
    require(cancelled and redriven, "there was nothing to decide on")
    return f"cancelled {len(cancelled)}, redrove {len(redriven)}, discarded {len(discarded)}"


INJECTORS: dict[str, Injector] = {
    "kill-after-fetch": kill_at("fetched"),
    "kill-after-claim": kill_at("claimed"),
    "kill-in-handler": kill_at("handling"),
    "kill-after-commit": kill_after_commit,
    "kill-relay-after-mark": kill_relay,
    "kill-leader": kill_leader,
    "stop-past-lease": stop_past_lease,
    "loop-blocked": block_loop,
    "segfault": segfault,
    "clock-off": skew,
    "unknown-kind": unknown_kind,
    "graceful-restart": restart_gracefully,
    "two-leaders": usurp,
    "pool-exhausted": exhaust_pool,
    "operator": act_as_operator,
}
