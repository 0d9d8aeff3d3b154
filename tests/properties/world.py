"""Everything that a random run acts on: the real ledger and dispatcher, two relays, two rescuers, three workers.

Owns what each actor does in one step and what the model is told of it. Steps run one after the other, so that a run can
be repeated; what overlaps in life is here a step that was cut short: a lost answer, a killed process, a flush between a
relay's mark and its add.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from redis.asyncio import Redis

from tests.properties import model
from tests.properties.clock import FastLoop
from tests.properties.faults import FaultPlan, FaultyBroker, FaultyStore
from tests.properties.model import Step, View
from tests.properties.process import FOLLOW, LATER, QUEUES, Answer, Free, Letter, Process
from tests.properties.sight import NOTHING, Sight, look_at_ledger, look_at_redis
from tests.properties.tally import Tally
from tests.support.engine import OPERATOR
from tests.support.invariants import Evidence, assert_all_hold, gather, install_recorder
from tests.support.invariants.evidence import Start, Told
from tournee.db.pool import PoolSettings, open_pool
from tournee.engine.bullmq.broker import BullmqBroker
from tournee.engine.bullmq.settings import BrokerSettings
from tournee.engine.core.breaker import BreakerPolicy
from tournee.engine.core.errors import LeaseLost
from tournee.engine.core.job import Priority, QueueName
from tournee.engine.maintenance.dead_letters import DeadLetterProjection
from tournee.engine.maintenance.reconciler import Reconciler
from tournee.engine.maintenance.relay import Relay
from tournee.engine.maintenance.rescuer import Rescuer
from tournee.engine.maintenance.settings import EngineSettings
from tournee.engine.ports import (
    BrokerUnavailable,
    CommitUnknown,
    LedgerContended,
    LedgerUnavailable,
)
from tournee.engine.postgres.enqueue import open_transaction
from tournee.engine.postgres.store import PostgresJobStore

AWAY = (LedgerUnavailable, LedgerContended, BrokerUnavailable)
LEASE_SECONDS = 1_000.0
BREAKERS = BreakerPolicy(threshold=2, probes=2, base=LATER, cap=LATER)
ROUNDS = 60
"""So many rounds bring every job to its end, once nothing goes wrong any more."""

EMPTY = """
TRUNCATE engine.jobs, engine.ready, engine.inflight, engine.dead, engine.job_attempts, engine.workers,
    engine.audit_log, engine.leaders, evidence.effects, evidence.audits, evidence.history RESTART IDENTITY;
UPDATE engine.queues SET paused = false, epoch = 1, tenant_cursor = '';
UPDATE engine.providers SET state = 'closed', failures = 0, openings = 0, successes = 0, opened_at = NULL,
    retry_at = NULL
"""
PASS_TIME = """
UPDATE engine.jobs SET run_at = run_at - interval '2 hours', rank = rank - interval '2 hours',
    dispatched_at = dispatched_at - interval '2 hours' WHERE state IN ('pending', 'queued', 'running');
UPDATE engine.ready SET run_at = run_at - interval '2 hours', rank = rank - interval '2 hours';
UPDATE engine.providers SET retry_at = retry_at - interval '2 hours', changed_at = changed_at - interval '2 hours'
"""
PASS_DEADLINES = "UPDATE engine.jobs SET deadline_at = now() - interval '1 second' WHERE state = 'running'"


class World:
    """Opened once; `begin` empties it for each run."""

    def __init__(self, loop: FastLoop, database_url: str, redis_url: str) -> None:
        self._loop = loop
        self._database_url = database_url
        self._redis_url = redis_url
        self.sight: Sight = NOTHING
        self.tally = Tally()
        self.plan = FaultPlan(self.tally.faults)

    @property
    def views(self) -> Mapping[int, View]:
        """The rows as the last step left them."""
        return self.sight.views

    # --- life

    async def open(self) -> None:
        # Time-outs run twenty times as fast here as elsewhere.
        self.pool = await open_pool(
            PoolSettings(self._database_url, max_size=8, connect_timeout_seconds=400, command_timeout_seconds=1_200)
        )
        await install_recorder(self.pool)
        self.redis: Any = Redis.from_url(self._redis_url)
        settings = BrokerSettings(
            self._redis_url,
            lock_duration_ms=600_000,
            command_timeout_seconds=400,
            connect_timeout_seconds=400,
            prune_grace_ms=0,
            work_queues=QUEUES,
        )
        self.real_broker = BullmqBroker(settings)
        self.real_store = PostgresJobStore(self.pool, BREAKERS)
        await self.real_store.declare_queues(self._build_process().build_registry().queues)

    async def close(self) -> None:
        await self.real_broker.close()
        await self.redis.aclose()
        await self.pool.close()

    async def begin(self) -> None:
        await self.pool.execute(EMPTY)
        await self.redis.flushall()
        self.plan.clear()
        self._starts = list[Start]()
        self._acknowledged, self._rolled_back, self._kept = (set[tuple[str, str]]() for _ in range(3))
        self._killed: list[Process] = []
        store: Any = FaultyStore(self.real_store, self.plan)
        self.store = store
        self.brokers = [FaultyBroker(self.real_broker, self.plan) for _ in range(2)]
        brokers: list[Any] = [*self.brokers]
        self.reconcilers = [Reconciler(store, broker) for broker in brokers]
        self.relays = [
            {queue: Relay(queue, store, broker, reconciler, EngineSettings(breakers=BREAKERS)) for queue in QUEUES}
            for broker, reconciler in zip(brokers, self.reconcilers, strict=True)
        ]
        self.rescuers = [Rescuer(store, LEASE_SECONDS, lambda _kind: None) for _ in range(2)]
        self.processes = [self._build_process() for _ in range(3)]
        for process in self.processes:
            await process.register()
        await self.observe()

    async def end(self) -> None:
        for process in [*self._killed, *self.processes]:
            await process.bury()

    def _build_process(self) -> Process:
        return Process(self.real_store, self.real_broker, self.plan, self._note_start)

    def _note_start(self, start: Start) -> None:
        self._starts.append(start)

    # --- look

    async def observe(self) -> None:
        """Take the ledger as it is."""
        self.sight = await look_at_ledger(self.pool)

    async def _take(
        self, act: Callable[[], Awaitable[object]], explain: Callable[[bool], Step], new: Sequence[tuple[str, str]] = ()
    ) -> bool:
        """Do one step and judge it. A store that is away ends the step, not the run. Answers whether a fault struck."""
        struck = self.plan.struck
        with suppress(*AWAY):
            await act()
        faulted = self.plan.struck > struck
        before = self.views
        await self.observe()
        wrong = model.judge(before, self.views, explain(faulted), frozenset(new))
        assert wrong == [], "\n".join(wrong)
        self.tally.note_changes(before, self.views)
        return faulted

    # --- steps: callers and operators

    async def enqueue(self, keys: Sequence[int], options: dict[str, Any], outcome: str) -> None:
        payloads = [
            Free(n=n) if n % 4 == 0 else Letter(n=n, who=f"tenant {n % 3}", follow_ups=int(n % 4 == 1)) for n in keys
        ]
        named = {(payload.queue_name, payload.key()) for payload in payloads}

        async def act() -> None:
            with suppress(CommitUnknown):
                async with open_transaction(self.real_store.session) as tx:
                    await tx.enqueue_many(payloads, **options)
                    if outcome == "rolled back":
                        raise CommitUnknown("rolled back by a COMMIT that never arrived")

        committed = outcome != "rolled back"
        await self._take(act, lambda _faulted: model.enqueue, sorted(named) if committed else ())
        if committed:
            self._kept |= named
            assert named <= {(view.queue, view.key) for view in self.views.values()}, "a committed job is in no row"
        else:
            self._rolled_back |= named
        if outcome == "acknowledged":
            self._acknowledged |= named

    async def cancel(self, ids: frozenset[int]) -> None:
        states = frozenset({"pending", "queued", "running"})
        await self._take(
            lambda: self.store.cancel_jobs(sorted(ids), OPERATOR, lambda _kind: None),
            lambda faulted: model.operate(model.cancel, states, ids, faulted),
        )

    async def redrive(self, ids: frozenset[int]) -> None:
        await self._take(
            lambda: self.store.redrive_dead(sorted(ids), OPERATOR, lambda _kind: None),
            lambda faulted: model.operate(model.redrive, frozenset({"dead"}), ids, faulted),
        )

    async def discard(self, ids: frozenset[int]) -> None:
        await self._take(
            lambda: self.store.discard_dead(sorted(ids), OPERATOR, lambda _kind: None),
            lambda faulted: model.operate(model.discard, frozenset({"dead"}), ids, faulted),
        )

    async def pause(self, queue: QueueName, paused: bool) -> None:
        await self._take(lambda: self.store.pause_queue(queue, paused, OPERATOR), lambda _faulted: model.stand_still)

    # --- steps: relay and maintenance

    async def fill(self, relay: int, queue: QueueName, flushed_between: bool = False) -> None:
        gate = (await look_at_redis(self.redis, queue, self.sight.workers)).guard(self.sight.doors[queue])
        if flushed_between:
            self.brokers[relay].before_add = self.redis.flushall
        await self._take(self.relays[relay][queue].fill, lambda faulted: model.fill(gate, faulted))
        self.brokers[relay].before_add = None

    async def compare(self, reconciler: int, queue: QueueName, patient: bool) -> None:
        seen = await look_at_redis(self.redis, queue, self.sight.workers)
        gate, present = seen.guard(self.sight.doors[queue]), seen.present
        await self._take(
            lambda: self.reconcilers[reconciler].compare(queue, LATER * 0, patient=patient),
            lambda faulted: model.compare(gate, present, faulted),
        )

    async def tidy(self) -> None:
        """The slow scan for leftover hashes, and the dead letters' projection: neither touches a row."""

        async def act() -> None:
            for queue in QUEUES:
                await self.reconcilers[0].discard_leftovers(queue)
            await DeadLetterProjection(self.store, self.real_broker).project()

        await self._take(act, lambda _faulted: model.stand_still)

    async def rescue(self, rescuer: int) -> None:
        known = self.sight.workers
        running = {view.worker for view in self.views.values() if view.worker is not None}
        now = self._loop.time()
        beats = {process.id: process.last_beat for process in [*self.processes, *self._killed]}
        possible = frozenset(worker for worker, beat in beats.items() if now - beat >= LEASE_SECONDS - 1)
        await self._take(
            self.rescuers[rescuer].rescue,
            lambda faulted: model.rescue_all(frozenset(running - known), possible, faulted),
        )

    # --- steps: workers

    async def fetch(self, number: int, queue: QueueName, count: int) -> None:
        process = self.processes[number]
        shut = frozenset(door.name for door in self.sight.doors.values() if door.shut)
        await self._take(
            lambda: process.fetch(queue, count),
            lambda faulted: model.fetch(
                model.Fetch(
                    process.id,
                    frozenset((e.id.job_id, e.id.dispatch) for e in process.broker.handed_out if e.id is not None),
                    shut,
                    faulted,
                )
            ),
        )

    async def finish(self, number: int, job: tuple[int, int], verdict: str) -> None:
        process = self.processes[number]
        await self._take(
            lambda: process.finish(job, verdict),
            lambda faulted: model.settle(job, verdict, process.id, faulted),
            [(FOLLOW, Answer(parent=job[0], lease=job[1]).key())],
        )

    async def beat(self, number: int) -> None:
        process = self.processes[number]
        held, worker = process.held, process.id
        await self._take(process.beat, lambda faulted: model.beat(worker, held, faulted))

    async def stop(self, number: int) -> None:
        """A shutdown, and a new process in its place."""
        process = self.processes[number]
        held = process.held
        await self._take(process.stop, lambda faulted: model.shut_down(process.id, held, faulted))
        await self._replace(number)

    async def kill(self, number: int, reported: bool, fetching: QueueName | None = None) -> None:
        """SIGKILL, perhaps between a fetch and its claim; a supervisor may have seen it. Another takes its place."""
        process = self.processes[number]
        process.store.killed = True
        if fetching is not None:
            with suppress(LeaseLost):
                await process.fetch(fetching, 3)
        if reported:
            await self.pool.execute("UPDATE engine.workers SET reported_dead = true WHERE id = $1", process.id)
        await self._replace(number)

    async def _replace(self, number: int) -> None:
        process = self.processes[number]
        process.store.killed = True
        self._killed.append(process)
        self.processes[number] = self._build_process()
        await self.processes[number].register()
        await self.observe()

    # --- steps: the world itself

    async def flush(self) -> None:
        await self.redis.flushall()

    async def lose_keys(self, places: Sequence[int]) -> None:
        """Redis loses a part: some keys, whichever they are."""
        keys = sorted(await self.redis.keys("bull:*"))
        if keys:
            await self.redis.delete(*{keys[place % len(keys)] for place in places})

    async def expire_locks(self) -> None:
        """As much time passes in Redis as a lock lasts."""
        locks = await self.redis.keys("bull:*:lock")
        if locks:
            await self.redis.delete(*locks)

    async def pass_time(self) -> None:
        """What was put off comes due."""
        await self.pool.execute(PASS_TIME)
        await self.observe()

    async def pass_deadlines(self) -> None:
        await self.pool.execute(PASS_DEADLINES)
        await self.observe()

    def wait(self, seconds: float) -> None:
        """The processes' own clock goes on."""
        self._loop.put_forward(seconds)

    # --- rest

    async def come_to_rest(self) -> None:
        """Nothing goes wrong any more: every job ends, and all fifteen invariants hold."""
        self.plan.clear()
        for queue in QUEUES:
            if self.sight.doors[queue].paused:
                await self.pause(queue, False)
        gone = [process.id for process in self._killed]
        await self.pool.execute("UPDATE engine.workers SET reported_dead = true WHERE id = ANY ($1)", gone)
        for _ in range(ROUNDS):
            if not any(view.state in ("pending", "queued", "running") for view in self.views.values()):
                break
            await self._play_round()
        for queue in QUEUES:
            await self._fetch_everywhere(queue, 0)
            await self.compare(0, queue, patient=False)
            await self.reconcilers[0].discard_leftovers(queue)
        await DeadLetterProjection(self.real_store, self.real_broker).project()
        evidence = await self._gather()
        assert_all_hold(evidence, at_rest=True)
        live = [str(job) for job in evidence.ledger.values() if job.state in ("pending", "queued", "running")]
        assert live == [], f"still live after {ROUNDS} rounds without a fault"

    async def _play_round(self) -> None:
        await self.pass_time()
        await self.expire_locks()
        for number, process in enumerate(self.processes):
            await self.beat(number)
            for job in sorted(process.waiting):
                if job in process.waiting:
                    await self.finish(number, job, "complete")
        await self.rescue(0)
        for queue in QUEUES:
            await self.compare(0, queue, patient=False)
            await self.fill(0, queue)
            await self._fetch_everywhere(queue, 10)

    async def _fetch_everywhere(self, queue: QueueName, count: int) -> None:
        """By every process that has something to fetch, or to tell."""
        for number, process in enumerate(self.processes):
            waiting = (await look_at_redis(self.redis, queue, self.sight.workers)).waiting if count else []
            if waiting or process.has_to_tell(queue):
                await self.fetch(number, queue, count)

    async def _gather(self) -> Evidence:
        evidence = await gather(self.pool, self.redis, effect_free=["free"])
        told = Told(
            starts=self._starts,
            acknowledged=frozenset(self._acknowledged),
            rolled_back=frozenset(self._rolled_back - self._kept),
            outside_faults=["processes are killed"],
        )
        return replace(evidence, told=told)


def make_options(priority: Priority, delayed: bool) -> dict[str, Any]:
    """How a job is enqueued."""
    return {"priority": priority, "delay": LATER if delayed else LATER * 0}
