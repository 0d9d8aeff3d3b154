"""The random walk: hypothesis chooses the actors' steps, the world takes them, the model judges each."""

from __future__ import annotations

import sys
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.properties.clock import FastLoop
from tests.properties.faults import KINDS
from tests.properties.model import VERDICTS
from tests.properties.process import QUEUES
from tests.properties.world import World, make_options
from tournee.engine.core.job import Priority

T = TypeVar("T")

PAIR = st.integers(0, 1)
WORKERS = st.integers(0, 2)
PLACE = st.integers(0, 15)
PLACES = st.lists(PLACE, min_size=1, max_size=3)
KEYS = st.lists(st.integers(0, 60), min_size=1, max_size=4)
QUEUE = st.sampled_from([QUEUES[0], QUEUES[0], QUEUES[0], *QUEUES[1:]])
Fault = tuple[str, str]


def strike(*calls: str) -> st.SearchStrategy[list[Fault]]:
    """What goes wrong in a step: mostly nothing, at times one answer or two of those that the step waits for."""
    faults = st.lists(st.tuples(st.sampled_from(calls), st.sampled_from(KINDS)), min_size=1, max_size=2)
    return st.one_of(st.just([]), st.just([]), faults)


IN_FILL = strike("add", "add", "mark_queued", "return_queued", "renew_epoch", "write_epoch", "half_open_breaker")
IN_FETCH = strike(
    "exchange", "claim_jobs", "claim_jobs", "reread_claims", "return_queued", "mark_alone", "cancel_running"
)
IN_FINISH = strike(
    "complete_in_transaction",
    "complete_in_transaction",
    "complete_jobs",
    "step",
    "read_outcome",
    "fail_job",
    "put_off_jobs",
    "note_outage",
)
IN_COMPARISON = strike(
    "snapshot", "return_queued", "renew_epoch", "write_epoch", "discard", "list_live_dispatches", "list_dead"
)
IN_STOP = strike("put_off_jobs", "put_off_jobs", "cancel_running", "exchange")
IN_OPERATION = strike("cancel_jobs", "redrive_dead", "discard_dead")
IN_RESCUE = strike("rescue_jobs", "forget_workers")
IN_BEAT = strike("beat_worker", "list_claims", "put_off_jobs", "cancel_running")


class EngineMachine(RuleBasedStateMachine):
    """Each rule is one step of one actor. `world` and `loop` are set by `bind_machine`, for all runs of a test."""

    world: World
    loop: FastLoop
    failed = False
    found: list[Exception]
    """What went against the model or an invariant, in all runs; a time-out of the test is none of these."""

    def __init__(self) -> None:
        super().__init__()
        self.world.tally.examples += 1
        self.loop.run_until_complete(self.world.begin())

    def teardown(self) -> None:
        try:
            # After a failure the world is in no state to be judged again.
            if not self.failed:
                self.loop.run_until_complete(self.world.come_to_rest())
        except Exception as error:
            self.found.append(error)
            raise
        finally:
            self.loop.run_until_complete(self.world.end())

    def step(self, work: Coroutine[Any, Any, None], faults: Sequence[Fault] = ()) -> None:
        """Take one step, under faults that strike in this step or not at all. Counted by the rule that takes it."""
        self.world.tally.steps[sys._getframe(1).f_code.co_name] += 1
        for call, kind in faults:
            self.world.plan.arm(call, kind)
        try:
            self.loop.run_until_complete(work)
        except BaseException as error:
            self.failed = True
            if isinstance(error, Exception):
                self.found.append(error)
            raise
        finally:
            self.world.plan.clear()

    @initialize(keys=st.lists(st.integers(0, 11), min_size=2, max_size=6))
    def begin_with_some(self, keys: list[int]) -> None:
        self.step(self.world.enqueue(keys, make_options(Priority.NORMAL, False), "acknowledged"))

    # --- callers and operators

    @rule(
        keys=st.lists(st.integers(0, 11), min_size=1, max_size=5),
        priority=st.sampled_from(list(Priority)),
        delayed=st.sampled_from([False, False, False, True]),
        outcome=st.sampled_from(["acknowledged", "acknowledged", "acknowledged", "unanswered", "rolled back"]),
    )
    def enqueue(self, keys: list[int], priority: Priority, delayed: bool, outcome: str) -> None:
        self.step(self.world.enqueue(keys, make_options(priority, delayed), outcome))

    @precondition(lambda self: self.world.views)
    @rule(places=PLACES, faults=IN_OPERATION)
    def cancel(self, places: list[int], faults: list[Fault]) -> None:
        self.step(self.world.cancel(frozenset(pick(sorted(self.world.views), place) for place in places)), faults)

    @precondition(lambda self: any(view.state == "dead" for view in self.world.views.values()))
    @rule(places=PLACES, redriven=st.booleans(), faults=IN_OPERATION)
    def decide_on_dead(self, places: list[int], redriven: bool, faults: list[Fault]) -> None:
        dead = sorted(view.id for view in self.world.views.values() if view.state == "dead")
        ids = frozenset(pick(dead, place) for place in places)
        self.step(self.world.redrive(ids) if redriven else self.world.discard(ids), faults)

    @rule(queue=QUEUE, paused=st.booleans())
    def pause(self, queue: Any, paused: bool) -> None:
        self.step(self.world.pause(queue, paused))

    # --- relay and maintenance

    @rule(relay=PAIR, queue=QUEUE, flushed_between=st.sampled_from([False] * 7 + [True]), faults=IN_FILL)
    def fill(self, relay: int, queue: Any, flushed_between: bool, faults: list[Fault]) -> None:
        self.step(self.world.fill(relay, queue, flushed_between), faults)

    @rule(reconciler=PAIR, queue=QUEUE, how=st.sampled_from(["patient", "impatient", "scan"]), faults=IN_COMPARISON)
    def compare(self, reconciler: int, queue: Any, how: str, faults: list[Fault]) -> None:
        if how == "scan":
            self.step(self.world.tidy(), faults)
        else:
            self.step(self.world.compare(reconciler, queue, how == "patient"), faults)

    @rule(rescuer=PAIR, seconds=st.sampled_from([0, 400, 400]), faults=IN_RESCUE)
    def rescue(self, rescuer: int, seconds: int, faults: list[Fault]) -> None:
        self.world.wait(seconds)
        self.step(self.world.rescue(rescuer), faults)

    # --- workers

    @rule(number=WORKERS, queue=QUEUE, count=st.integers(1, 4), faults=IN_FETCH)
    def fetch(self, number: int, queue: Any, count: int, faults: list[Fault]) -> None:
        self.step(self.world.fetch(number, queue, count), faults)

    @rule(number=WORKERS, queue=QUEUE, count=st.integers(1, 4))
    def fill_and_fetch(self, number: int, queue: Any, count: int) -> None:
        self.step(self.world.fill(0, queue))
        self.step(self.world.fetch(number, queue, count))

    @rule(number=WORKERS, queue=QUEUE)
    def dispatch_again(self, number: int, queue: Any) -> None:
        """The answer to an add is lost: the rows are dispatched once more, beside their old entries."""
        self.step(self.world.fill(0, queue), [("add", "after")])
        self.step(self.world.fill(1, queue))
        self.step(self.world.fetch(number, queue, 4))

    @precondition(lambda self: any(process.waiting for process in self.world.processes))
    @rule(number=WORKERS, queue=QUEUE)
    def overtake(self, number: int, queue: Any) -> None:
        """What runs too long is rescued and claimed again, while its first handler does not know yet."""
        self.step(self.world.pass_deadlines())
        self.step(self.world.rescue(0))
        self.step(self.world.fill(0, queue))
        self.step(self.world.fetch(number, queue, 4))

    @precondition(lambda self: any(process.waiting for process in self.world.processes))
    @rule(place=PLACE, verdict=st.sampled_from(["complete", "complete", *VERDICTS]), faults=IN_FINISH)
    def finish(self, place: int, verdict: str, faults: list[Fault]) -> None:
        waiting = [(n, job) for n, process in enumerate(self.world.processes) for job in sorted(process.waiting)]
        number, job = pick(waiting, place)
        self.step(self.world.finish(number, job, verdict), faults)

    @rule(number=WORKERS, faults=IN_BEAT)
    def beat(self, number: int, faults: list[Fault]) -> None:
        self.step(self.world.beat(number), faults)

    @rule(number=WORKERS, faults=IN_STOP)
    def stop(self, number: int, faults: list[Fault]) -> None:
        self.step(self.world.stop(number), faults)

    @rule(number=WORKERS, reported=st.booleans(), fetching=st.one_of(st.none(), QUEUE))
    def kill(self, number: int, reported: bool, fetching: Any) -> None:
        self.step(self.world.kill(number, reported, fetching))

    # --- what goes wrong in Redis, and time

    @rule(how=st.sampled_from(["flush", "lose keys", "expire locks"]), places=KEYS)
    def harm_redis(self, how: str, places: list[int]) -> None:
        match how:
            case "flush":
                self.step(self.world.flush())
            case "lose keys":
                self.step(self.world.lose_keys(places))
            case _:
                self.step(self.world.expire_locks())

    @rule(deadlines=st.sampled_from([False, False, True]))
    def pass_time(self, deadlines: bool) -> None:
        self.step(self.world.pass_deadlines() if deadlines else self.world.pass_time())


def bind_machine(world: World, loop: FastLoop) -> type[EngineMachine]:
    """The machine on one world."""
    return type("BoundMachine", (EngineMachine,), {"world": world, "loop": loop, "found": []})


def pick(things: Sequence[T], place: int) -> T:
    """One of them: a place beyond the end counts from the start again."""
    return things[place % len(things)]
