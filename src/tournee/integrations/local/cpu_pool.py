"""CPU work off the event loop: a bounded pool of processes with a time and a memory limit for each piece of work.

A thread could not be stopped and would hold the interpreter; a process can be killed. Owns the invariant that one
piece of work can't harm another: what was running in a process that died is tried once more alone, and only what
fails alone is blamed. Refuses to queue: at most as many pieces of work as there are processes leave the caller's hands,
so that a limit of time counts running, not waiting.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import signal
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any, Final, ParamSpec, TypeVar

from pebble import ProcessExpired, ProcessPool

P = ParamSpec("P")
T = TypeVar("T")

DEFAULT_WORKERS: Final = 2
DEFAULT_MEMORY_BYTES: Final = 1 << 30
_GRACE_SECONDS: Final = 10.0
"""Beyond the limit of time: for a process to start and for one that hangs to be killed."""


class CpuLimitExceeded(Exception):
    """The work took more than it may, or killed its process. The message says which, in words for a person."""


class PoolClosed(RuntimeError):
    """The pool is closed; the work was not done and is not to blame."""


@dataclass(frozen=True, slots=True)
class CpuPoolConfig:
    """`memory_bytes`: of address space for each process. `tasks_per_process`: then it is replaced by a fresh one."""

    workers: int = DEFAULT_WORKERS
    memory_bytes: int = DEFAULT_MEMORY_BYTES
    tasks_per_process: int = 2_000


class CpuPool:
    """Runs functions in processes. Starts them when first used; `close` leaves none."""

    def __init__(self, config: CpuPoolConfig | None = None) -> None:
        self._config = config or CpuPoolConfig()
        self._slots = asyncio.Semaphore(self._config.workers)
        self._alone = asyncio.Lock()
        self._starting = asyncio.Lock()
        self._pool: ProcessPool | None = None
        self._in_flight: dict[ProcessPool, set[Future[Any]]] = {}
        self._discarded: set[asyncio.Task[None]] = set()
        self._is_closed = False

    async def run(self, function: Callable[P, T], *args: P.args, timeout_seconds: float = 10.0) -> T:  # type: ignore[valid-type]
        """Run `function(*args)` in another process; it, its arguments and its result must be picklable.

        Raises CpuLimitExceeded for work above a limit or that kills its process even when alone, PoolClosed, and what
        `function` itself raises. Cancelling it kills the process that works.
        """
        async with self._slots:
            pool = await self._provide_pool()
            try:
                return await self._run_in(pool, timeout_seconds, function, args)
            except ProcessExpired:
                pass  # The pool replaces the process by itself.
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
            initializer=_limit_process,
            initargs=(self._config.memory_bytes,),
            context=multiprocessing.get_context("spawn"),
        )
        self._in_flight[pool] = set()
        try:
            await asyncio.to_thread(lambda: pool.active)
        except BaseException:
            self._discard(pool)
            raise
        return pool

    async def _run_in(self, pool: ProcessPool, timeout_seconds: float, function: Callable[..., T], args: Any) -> T:
        try:
            scheduled: Future[T] = await asyncio.to_thread(pool.schedule, function, args=args, timeout=timeout_seconds)
        except RuntimeError as stopped:
            raise PoolClosed("the CPU pool is closed") if self._is_closed else BrokenProcessPool(str(stopped)) from None
        self._in_flight.get(pool, set()).add(scheduled)
        if self._is_closed:
            scheduled.cancel()
        try:
            async with asyncio.timeout(timeout_seconds + _GRACE_SECONDS):
                return await asyncio.wrap_future(scheduled)
        except (FutureTimeout, TimeoutError) as timeout:
            # Pebble's time-out bears its limit; ours, the outer one, means that the pool itself hangs.
            if not timeout.args:
                raise _PoolLost from None
            raise CpuLimitExceeded(f"took more than {timeout_seconds:g} s") from None
        except MemoryError:
            raise CpuLimitExceeded(f"took more than {self._config.memory_bytes >> 20} MiB of memory") from None
        except asyncio.CancelledError:
            scheduled.cancel()
            if _is_being_cancelled():
                raise
            # Not we were cancelled but the work, because its pool was discarded.
            raise PoolClosed("the CPU pool is closed") if self._is_closed else _PoolLost from None
        finally:
            self._in_flight.get(pool, set()).discard(scheduled)

    async def _run_alone(self, timeout_seconds: float, function: Callable[..., T], args: Any) -> T:
        """A second try of what was running when a process died, in a process of its own."""
        async with self._alone:
            async with self._starting:
                pool = await self._start_pool(1)
            try:
                return await self._run_in(pool, timeout_seconds, function, args)
            except (ProcessExpired, BrokenProcessPool, _PoolLost) as death:
                if self._is_closed:
                    raise PoolClosed("the CPU pool is closed") from None
                code = f" (exit code {death.exitcode})" if isinstance(death, ProcessExpired) else ""
                raise CpuLimitExceeded(f"killed its process{code}") from None
            finally:
                self._discard(pool)

    def _discard(self, pool: ProcessPool) -> None:
        """Stop a pool without waiting for it; `close` does wait. What ran in it is cancelled."""
        if pool is self._pool:
            self._pool = None
        if pool not in self._in_flight:
            return
        for scheduled in self._in_flight.pop(pool):
            scheduled.cancel()
        stopping = asyncio.ensure_future(asyncio.to_thread(_stop_pool, pool))
        self._discarded.add(stopping)
        stopping.add_done_callback(self._discarded.discard)


class _PoolLost(Exception):
    """Neither an answer nor a time-out came: the pool was discarded, or its own machinery is stuck."""


def _is_being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _stop_pool(pool: ProcessPool) -> None:
    pool.stop()  # type: ignore[no-untyped-call]
    with contextlib.suppress(TimeoutError, FutureTimeout):
        pool.join(timeout=30)


def _limit_process(memory_bytes: int) -> None:
    """What each process does first."""
    # Libraries of linear algebra reserve memory for each of their threads, which counts against the limit.
    for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = "1"
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        import resource  # noqa: PLC0415 - there is none on Windows
    except ImportError:
        return
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
