"""The event loop of the alert thread: like any other, and it still works while the interpreter ends.

`atexit` is the last moment to tell something, and by then the interpreter takes no more work into executors, which is
how names of hosts are looked up, TLS is set up and files are written. There it is done at once, in the alert thread,
which nobody else waits for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class AlertLoop(asyncio.SelectorEventLoop):
    """Runs in place what no executor takes any more."""

    def run_in_executor(self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        """See `asyncio.loop`."""
        try:
            return super().run_in_executor(executor, func, *args)
        except RuntimeError:
            if self.is_closed():
                raise
        done: asyncio.Future[T] = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:
            done.set_exception(error)
        return done
