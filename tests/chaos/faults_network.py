"""Faults between one process and one store, by its proxies, its cable or its provider."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from tests.chaos.fleet import Lines, Member
from tests.chaos.injecting import Injector, Missed, list_victims, read_count, require, wait_until_more
from tests.chaos.plan import PlannedFault
from tests.chaos.process import LEASE_SECONDS
from tests.chaos.stage import Stage
from tests.support.proxy import Proxy, Trap, Trick

AWAY_SECONDS = LEASE_SECONDS + 2.0
TRAP_SECONDS = 8.0
OUTAGES = "SELECT sum(outages) FROM engine.jobs WHERE queue = 'mail'"


def choose_line(lines: Lines, store: str) -> Proxy:
    return lines.redis if store == "redis" else lines.postgresql


def cut_worker(store: str, *, silent: bool) -> Injector:
    """A worker without one of its stores, for longer than the lease."""

    async def inject(stage: Stage, fault: PlannedFault) -> str:
        member = list_victims(stage, fault)[0]
        return await cut_off(stage, member, store, silent=silent)

    return inject


async def cut_off(stage: Stage, member: Member, store: str, *, silent: bool) -> str:
    proxy = choose_line(member.lines, store)
    await member.wait_ready()
    stage.journal.note_outside_fault(f"{member.name} without {store}")
    before = replace(proxy.harm)
    if silent:
        proxy.fall_silent()
    else:
        proxy.cut()
    try:
        await asyncio.sleep(AWAY_SECONDS)
    finally:
        proxy.heal()
    harm = proxy.harm
    if silent:
        lost = harm.swallowed - before.swallowed
        require(lost, f"{member.name} said nothing")
        return f"{member.name} without {store} for {AWAY_SECONDS:g} s: {lost} packets swallowed"
    cut, refused = harm.broken - before.broken, harm.refused - before.refused
    require(cut or refused, f"{member.name} was not connected")
    return f"{member.name} without {store} for {AWAY_SECONDS:g} s: {cut} connections cut, {refused} refused"


async def cut_relay(stage: Stage, fault: PlannedFault) -> str:
    member = stage.engines[fault.victims[0] % len(stage.engines)]
    store = "redis" if fault.first_variant else "postgresql"
    return await cut_off(stage, member, store, silent=fault.victims[0] < fault.victims[1])


async def slow_down(stage: Stage, fault: PlannedFault) -> str:
    member = list_victims(stage, fault)[0]
    await member.wait_ready()
    before = [proxy.harm.delayed for proxy in member.lines.both]
    for proxy in member.lines.both:
        proxy.delay_seconds = 0.2
    await asyncio.sleep(4)
    for proxy in member.lines.both:
        proxy.delay_seconds = 0.0
    late = [proxy.harm.delayed - was for proxy, was in zip(member.lines.both, before, strict=True)]
    require(all(late), f"{member.name} asked one of its stores nothing")
    return f"{member.name} met 200 ms more for 4 s: {late[0]} requests to PostgreSQL late, {late[1]} to Redis"


async def spring(proxies: list[tuple[Proxy, Trap]]) -> int:
    """Wait until the first of these traps is sprung, and lift the others; answers which."""
    waits = [asyncio.create_task(trap.sprung.wait()) for _, trap in proxies]
    try:
        done, _ = await asyncio.wait(waits, timeout=TRAP_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for (proxy, trap), wait in zip(proxies, waits, strict=True):
            proxy.lift_trap(trap)
            wait.cancel()
    if not done:
        raise Missed("nobody made such a request")
    return next(place for place, wait in enumerate(waits) if wait in done)


def lose_answer(store: str, request: str) -> Injector:
    """One answer to a worker is lost, after the request was executed."""

    async def inject(stage: Stage, fault: PlannedFault) -> str:
        members = list_victims(stage, fault)[:2]
        return await lose_answer_of(members, store, request)

    return inject


async def lose_answer_of(members: list[Member], store: str, request: str) -> str:
    proxies = [choose_line(member.lines, store) for member in members]
    place = await spring([(proxy, proxy.set_trap(request, Trick.LOSE_ANSWER)) for proxy in proxies])
    return f"{members[place].name} never heard the answer to its {request}"


async def lose_enqueue_answer(stage: Stage, fault: PlannedFault) -> str:
    return await lose_answer_of(stage.apis, "postgresql", "commit")


async def slow_commit(stage: Stage, fault: PlannedFault) -> str:
    """The COMMIT itself is late, or its answer; in half of the cases the worker's heartbeat is, too."""
    member = list_victims(stage, fault)[0]
    trick = Trick.HOLD_REQUEST if fault.first_variant else Trick.HOLD_ANSWER
    proxy = member.lines.postgresql
    trap = proxy.set_trap("commit", trick, AWAY_SECONDS)
    await spring([(proxy, trap)])
    silent = fault.victims[0] < fault.victims[1]
    if silent:
        stage.journal.note_outside_fault(f"{member.name} slow to commit, and silent")
        proxy.delay_seconds = LEASE_SECONDS + 1.0
    await asyncio.sleep(AWAY_SECONDS)
    proxy.delay_seconds = 0.0
    late = "a COMMIT" if fault.first_variant else "the answer to a COMMIT"
    return f"{late} of {member.name} took {AWAY_SECONDS:g} s{', as did its heartbeats' if silent else ''}"


async def part_hosts(stage: Stage, fault: PlannedFault) -> str:
    """Packets are dropped, as by a pulled cable: after it TCP goes on where it was, if nobody gave up."""
    member = stage.workers[-1]
    await member.wait_ready()
    stage.journal.note_outside_fault("a host cut off")
    stage.set_host_link(up=False)
    try:
        # What the kernel had taken from the cable before it was pulled still comes up.
        await asyncio.sleep(0.5)
        before = _count_passed(member)
        await asyncio.sleep(AWAY_SECONDS)
        passed = _count_passed(member) - before
    finally:
        stage.set_host_link(up=True)
    require(passed == 0, f"{passed} packets of {member.name} came through")
    return f"the second host, of {member.name}, cut off for {AWAY_SECONDS:g} s: nothing came through"


def _count_passed(member: Member) -> int:
    return sum(proxy.harm.passed for proxy in member.lines.both)


async def stop_provider(stage: Stage, fault: PlannedFault) -> str:
    flag = stage.folder / "provider-is-down"
    before = await read_count(stage, OUTAGES)
    flag.touch()
    try:
        await asyncio.sleep(3)
        parked = await wait_until_more(stage, OUTAGES, before, 5.0)
    finally:
        flag.unlink(missing_ok=True)
    require(parked, "no job needed the provider")
    return f"the provider down for 3 s: {parked} jobs parked"


INJECTORS: dict[str, Injector] = {
    "redis-cut": cut_worker("redis", silent=False),
    "redis-half-open": cut_worker("redis", silent=True),
    "postgresql-cut": cut_worker("postgresql", silent=False),
    "postgresql-half-open": cut_worker("postgresql", silent=True),
    "relay-cut": cut_relay,
    "latency": slow_down,
    "claim-answer-lost": lose_answer("postgresql", "claim"),
    "commit-answer-lost": lose_answer("postgresql", "commit"),
    "enqueue-answer-lost": lose_enqueue_answer,
    "completion-answer-lost": lose_answer("postgresql", "completion"),
    "fetch-answer-lost": lose_answer("redis", "fetch"),
    "commit-slow": slow_commit,
    "host-partition": part_hosts,
    "provider-outage": stop_provider,
}
