"""Faults of processes: killed at an exact point, stopped, blocked, misled."""

from __future__ import annotations

import asyncio
import signal

import asyncpg

from tests.chaos.fleet import Member
from tests.chaos.injecting import Injector, Missed, list_victims, reach_first, slip_in
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
    """SIGKILL, noted. The fault is over with it: what follows is recovery."""
    stage.journal.note_outside_fault(f"{member.name} killed {how}")
    member.ready.clear()
    member.signal(signal.SIGKILL)
    return f"{member.name} killed {how}"


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
    members = [*stage.engines, *stage.enqueuers, *list_victims(stage, fault)]
    member = await reach_first(members, "marked", freezes=True)
    return await kill(stage, member, "between mark and add")


async def kill_leader(stage: Stage, fault: PlannedFault) -> str:
    async with stage.connect() as connection:
        holder = await connection.fetchval("SELECT holder FROM engine.leaders WHERE role = 'rescuer'")
    leader = next((member for member in stage.members if member.holder == str(holder)), stage.engines[0])
    return await kill(stage, leader, "as the leader")


async def kill_enqueuer(stage: Stage, fault: PlannedFault) -> str:
    return await kill(stage, stage.enqueuers[0], "at any time")


async def stop_past_lease(stage: Stage, fault: PlannedFault) -> str:
    member = list_victims(stage, fault)[0]
    stage.journal.note_outside_fault(f"{member.name} stopped")
    member.signal(signal.SIGSTOP)
    try:
        await asyncio.sleep(AWAY_SECONDS)
    finally:
        member.signal(signal.SIGCONT)
    return f"{member.name} stood still for {AWAY_SECONDS:g} s"


async def block_loop(stage: Stage, fault: PlannedFault) -> str:
    member = list_victims(stage, fault)[0]
    await member.wait_ready()
    stage.journal.note_outside_fault(f"{member.name} blocked")
    member.send(do="block", seconds=AWAY_SECONDS)
    await asyncio.sleep(AWAY_SECONDS)
    return f"{member.name} blocked for {AWAY_SECONDS:g} s"


async def segfault(stage: Stage, fault: PlannedFault) -> str:
    """The poisoned job must end dead by its crashes, and its neighbours completed."""
    name = f"segfault-{fault.number}"
    neighbours = [Task(key_text=f"{name}-{place}") for place in range(50)]
    poison = Task(key_text=f"{name}-poison", act="poison")
    await slip_in(stage, [*neighbours[:25], poison, *neighbours[25:]])
    async with stage.connect() as connection:
        for _ in range(100):
            try:
                state = await connection.fetchval(
                    "SELECT state::text FROM engine.jobs WHERE queue = 'work' AND key = $1", poison.key()
                )
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                break
            if state == "dead":
                return "a poisoned job among 50 died of its crashes"
            await asyncio.sleep(0.1)
    return "a poisoned job among 50; its end is judged with all others"


async def skew(stage: Stage, fault: PlannedFault) -> str:
    member = list_victims(stage, fault)[0]
    await member.wait_ready()
    seconds = 600 if fault.first_variant else -600
    member.send(do="skew", seconds=seconds)
    await asyncio.sleep(5)
    member.send(do="skew", seconds=0)
    return f"the clock of {member.name} off by {seconds} s for 5 s"


async def unknown_kind(stage: Stage, fault: PlannedFault) -> str:
    """Until a deploy has reached every worker nobody knows the kind; later runs of this fault meet workers that do."""
    await slip_in(stage, [Novel(key_text=f"novel-{fault.number}-{place}") for place in range(10)])
    await asyncio.sleep(2)
    for member in stage.workers:
        member.learn()
    return "10 jobs of a kind that came before its handler"


async def restart_gracefully(stage: Stage, fault: PlannedFault) -> str:
    member = list_victims(stage, fault)[0]
    await member.wait_ready()
    member.ready.clear()
    stage.journal.note_outside_fault(f"{member.name} restarted")
    member.signal(signal.SIGTERM)
    await member.wait_ready()
    return f"{member.name} restarted"


async def usurp(stage: Stage, fault: PlannedFault) -> str:
    members = [stage.engines[0], stage.engines[1], list_victims(stage, fault)[0]]
    for member in members:
        member.send(do="usurp", on=True)
    await asyncio.sleep(5)
    for member in members:
        member.send(do="usurp", on=False)
    return "three processes played every role for 5 s"


async def exhaust_pool(stage: Stage, fault: PlannedFault) -> str:
    if fault.first_variant:
        member = list_victims(stage, fault)[0]
        await member.wait_ready()
        member.send(do="take-pool", seconds=2.5)
        if not await member.wait_reached("pool-taken", 20.0):
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
    async with stage.open_pool() as pool:
        store = PostgresJobStore(pool)
        live = await store.list_jobs(
            JobQuery(states=[JobState.PENDING, JobState.QUEUED, JobState.RUNNING], kind="task", limit=5)
        )
        cancelled = await store.cancel_jobs([job.id for job in live], OPERATOR, lambda _kind: None)
        dead = [job.job_id for job in await store.list_dead(DeadQuery(limit=40)) if job.payload.get("act") == "doomed"]
        redriven = await store.redrive_dead(dead[:4], OPERATOR, lambda _kind: None)
        discarded = await store.discard_dead(dead[4:6], OPERATOR, lambda _kind: None)
    return f"cancelled {len(cancelled)}, redrove {len(redriven)}, discarded {len(discarded)}"


INJECTORS: dict[str, Injector] = {
    "kill-after-fetch": kill_at("fetched"),
    "kill-after-claim": kill_at("claimed"),
    "kill-in-handler": kill_at("handling"),
    "kill-after-commit": kill_after_commit,
    "kill-relay-after-mark": kill_relay,
    "kill-leader": kill_leader,
    "kill-enqueuer": kill_enqueuer,
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
