"""CPU work off the event loop: a bounded pool of processes with a time and a memory limit for each piece of work.

A thread could not be stopped and would hold the interpreter; a process can be killed. Owns the invariant that one
piece of work can't harm another: what was running in a process that died is tried once more alone, and only what
fails alone is blamed. Work is blamed for the processor's time that it took, never for how long the machine let it wait:
where a process does not start or does not get its share, the work is put off. Refuses to queue: at most as many pieces
of work as there are processes leave the caller's hands.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, ParamSpec, TypeVar

import structlog
from pebble import ProcessExpired, ProcessPool

from tournee.engine.core.errors import Snooze
from tournee.integrations.local.cpu_process import HAS_TIMER, prepare_process, run_timed

P = ParamSpec("P")
T = TypeVar("T")

DEFAULT_WORKERS: Final = 2
DEFAULT_MEMORY_BYTES: Final = 1 << 30
_GRACE_SECONDS: Final = 10.0
"""Beyond the limit of time: for a process that hangs to be killed."""
_LOOK_SECONDS: Final = 0.25
_TIME_SHARE: Final = 4
"""Work that gets less than a fourth of a processor runs on a machine that is too busy for it."""
_PUT_OFF: Final = timedelta(seconds=5)
_STOP_TRIES: Final = 3

_log = structlog.get_logger(__name__)


class CpuLimitExceeded(Exception):
    """The work took more than it may, or killed its process. The message says which, in words for a person."""


class CpuOverloaded(Snooze):
    """The machine is too busy to do the work now: the job is to be put off, and is not to blame."""

    def __init__(self, reason: str) -> None:
        super().__init__(_PUT_OFF)
        self.args = (reason,)


class PoolClosed(RuntimeError):
    """The pool is closed; the work was not done and is not to blame."""


@dataclass(frozen=True, slots=True)
class CpuPoolConfig:
    """`memory_bytes`: of address space for each process. `tasks_per_process`: then it is replaced by a fresh one.

    `warm_up` is called in each new process before its first work; it must be picklable. `start_seconds`: how long work
    waits for a process to take it up.
    """

    workers: int = DEFAULT_WORKERS
    memory_bytes: int = DEFAULT_MEMORY_BYTES
    tasks_per_process: int = 2_000
    warm_up: Callable[[], None] | None = None
    start_seconds: float = 30.0


class CpuPool:
    """Runs functions in processes. Starts them when first used; `close` leaves none."""

    def __init__(self, config: CpuPoolConfig | None = None) -> None:
        self._config = config or CpuPoolConfig()
        self._slots = asyncio.Semaphore(self._config.workers)
        self._alone = asyncio.Lock()
        self._starting = asyncio.Lock()
        self._pool: ProcessPool | None = None
        self._in_flight: dict[ProcessPool, set[Future[Any]]] = {}
        self._working: set[ProcessPool] = set()
        self._discarded: set[asyncio.Task[None]] = set()
        self._is_closed = False

    async def run(self, function: Callable[P, T], *args: P.args, timeout_seconds: float = 10.0) -> T:  # type: ignore[valid-type]
        """Run `function(*args)` in another process; it, its arguments and its result must be picklable.

        Raises CpuLimitExceeded for work above a limit or that kills its process even when alone, CpuOverloaded where
        the machine is too busy, PoolClosed, and what `function` itself raises. `timeout_seconds` is of the processor's
        time. Cancelling it kills the process that works.
        """
        async with self._slots:
            pool = await self._provide_pool()
            try:
                return await self._run_in(pool, timeout_seconds, function, args)
            except ProcessExpired:
                pass  # The pool replaces the process by itself.
            except _NeverStarted as slow:
                if slow.is_stuck:
                    self._discard(pool)
                raise CpuOverloaded(str(slow)) from None
            except (BrokenProcessPool, _PoolLost):
                self._discard(pool)
        return await self._run_alone(timeout_seconds, function, args)

    async def close(self) -> None:
        """Kill what runs and wait until no process is left. Idempotent."""
        self._is_closed = True
        async with self._starting:
            for pool in list(self._in_flight):
                self._discard(pool)
        if self._discarded:
            await asyncio.wait(self._discarded)

    async def _provide_pool(self) -> ProcessPool:
        async with self._starting:
            if self._pool is not None and not self._pool.active:
                self._discard(self._pool)
            if self._pool is None:
                self._pool = await self._start_pool(self._config.workers)
            return self._pool

    async def _start_pool(self, workers: int) -> ProcessPool:
        """Called under the lock on starting: `close` sees a pool before its start or after it, never amidst."""
        if self._is_closed:
            raise PoolClosed("the CPU pool is closed")
        pool = ProcessPool(
            max_workers=workers,
            max_tasks=self._config.tasks_per_process,
            initializer=prepare_process,
            initargs=(self._config.memory_bytes, self._config.warm_up),
            context=multiprocessing.get_context("spawn"),
        )
        self._in_flight[pool] = set()
        starting = asyncio.ensure_future(asyncio.to_thread(lambda: pool.active))
        try:
            await asyncio.shield(starting)
        except BaseException:
            # A pool that is stopped amidst its start trips over itself.
            self._discard(pool, after=starting)
            raise
        return pool

    async def _run_in(self, pool: ProcessPool, timeout_seconds: float, function: Callable[..., T], args: Any) -> T:
        task = (timeout_seconds, function, *args)
        wall_seconds = timeout_seconds * _TIME_SHARE if HAS_TIMER else timeout_seconds
        try:
            scheduled: Future[T] = await asyncio.to_thread(pool.schedule, run_timed, args=task, timeout=wall_seconds)
        except RuntimeError as stopped:
            raise PoolClosed("the CPU pool is closed") if self._is_closed else BrokenProcessPool(str(stopped)) from None
        self._in_flight.get(pool, set()).add(scheduled)
        if self._is_closed:
            scheduled.cancel()
        try:
            return await self._await_outcome(pool, scheduled, timeout_seconds, wall_seconds)
        except asyncio.CancelledError:
            scheduled.cancel()
            if _is_being_cancelled():
                raise
            # Not we were cancelled but the work, because its pool was discarded.
            raise PoolClosed("the CPU pool is closed") if self._is_closed else _PoolLost from None
        finally:
            self._in_flight.get(pool, set()).discard(scheduled)

    async def _await_outcome(
        self, pool: ProcessPool, scheduled: Future[T], timeout_seconds: float, wall_seconds: float
    ) -> T:
        awaited = asyncio.wrap_future(scheduled)
        try:
            await self._wait_until_taken_up(pool, scheduled, awaited)
            async with asyncio.timeout(wall_seconds + _GRACE_SECONDS):
                return await awaited
        except ProcessExpired as death:
            if HAS_TIMER and death.exitcode == -signal.SIGPROF:
                raise CpuLimitExceeded(f"took more than {timeout_seconds:g} s") from None
            raise
        except (FutureTimeout, TimeoutError) as timeout:
            # Pebble's time-out bears its limit; ours, the outer one, means that the pool itself hangs.
            if not timeout.args:
                raise _PoolLost from None
            if HAS_TIMER:
                raise CpuOverloaded(f"{timeout_seconds:g} s of work were not done in {wall_seconds:g} s") from None
            raise CpuLimitExceeded(f"took more than {timeout_seconds:g} s") from None
        except MemoryError:
            raise CpuLimitExceeded(f"took more than {self._config.memory_bytes >> 20} MiB of memory") from None

    async def _wait_until_taken_up(
        self, pool: ProcessPool, scheduled: Future[Any], awaited: asyncio.Future[Any]
    ) -> None:
        """Return when a process has taken the work up or it is done. Raises `_NeverStarted`: nobody did in time."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        await asyncio.wait({awaited}, timeout=_LOOK_SECONDS)
        while not (awaited.done() or scheduled.running()):
            if loop.time() - started > self._config.start_seconds:
                # Processes that are still starting are left to it: the next work will find them ready.
                awaited.add_done_callback(_drop_outcome)
                raise _NeverStarted(self._config.start_seconds, is_stuck=pool in self._working)
            await asyncio.wait({awaited}, timeout=_LOOK_SECONDS)
        self._working.add(pool)

    async def _run_alone(self, timeout_seconds: float, function: Callable[..., T], args: Any) -> T:
        """A second try of what was running when a process died, in a process of its own."""
        async with self._alone:
            async with self._starting:
                pool = await self._start_pool(1)
            try:
                return await self._run_in(pool, timeout_seconds, function, args)
            except ProcessExpired as death:
                if self._is_closed:
                    raise PoolClosed("the CPU pool is closed") from None
                raise CpuLimitExceeded(f"killed its process (exit code {death.exitcode})") from None
            except (BrokenProcessPool, _PoolLost, _NeverStarted) as fault:
                if self._is_closed:
                    raise PoolClosed("the CPU pool is closed") from None
                raise CpuOverloaded(str(fault) or "the pool of processes hangs") from None
            finally:
                self._discard(pool)

    def _discard(self, pool: ProcessPool, after: asyncio.Future[Any] | None = None) -> None:
        """Stop a pool, once `after` is done, without waiting for it; `close` does wait. What ran in it is cancelled."""
        if pool is self._pool:
            self._pool = None
        if pool not in self._in_flight:
            return
        self._working.discard(pool)
        for scheduled in self._in_flight.pop(pool):
            scheduled.cancel()
        stopping = asyncio.ensure_future(_stop_after(after, pool))
        self._discarded.add(stopping)
        stopping.add_done_callback(self._discarded.discard)


class _PoolLost(Exception):
    """Neither an answer nor a time-out came: the pool was discarded, or its own machinery is stuck."""


class _NeverStarted(Exception):
    """No process took the work up. `is_stuck`: although this pool's processes had been ready before."""

    def __init__(self, seconds: float, is_stuck: bool) -> None:
        super().__init__(f"no process took the work up within {seconds:g} s")
        self.is_stuck = is_stuck


def _is_being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _drop_outcome(abandoned: asyncio.Future[Any]) -> None:
    """Nobody waits for it any more: its exception counts as seen."""
    if not abandoned.cancelled():
        abandoned.exception()


async def _stop_after(start: asyncio.Future[Any] | None, pool: ProcessPool) -> None:
    if start is not None:
        await asyncio.wait({start})
        _drop_outcome(start)
    await asyncio.to_thread(_stop_pool, pool)


def _stop_pool(pool: ProcessPool) -> None:
    """Never raises: nobody awaits it before `close`."""
    for _ in range(_STOP_TRIES):
        try:
            pool.stop()  # type: ignore[no-untyped-call]
            pool.join(timeout=30)
        except (TimeoutError, FutureTimeout):
            continue
        except Exception:
            # Pebble's manager may forget a process that died in the instant in which it is told to stop it.
            _log.warning("cpu_pool_stop_tried_again", exc_info=True)
        else:
            return
