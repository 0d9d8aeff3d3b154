"""Runs a command's coroutine on an event loop, and ends it cleanly on a signal.

Owns the loop and the handlers of SIGINT and SIGTERM while a command runs. Keeps: a first signal asks for an orderly
end, a second one cancels; what was opened is closed in both cases. After that, one more ends the process at once.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from tournee.cli.errors import Interrupted

T = TypeVar("T")

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def run(work: Callable[[], Awaitable[T]]) -> T:
    """Run a work that ends by itself; a signal cancels it. Raises `Interrupted` after its clean-up."""
    return _run_with_signals(lambda _stop: work(), cancel_at=1)


def serve(work: Callable[[asyncio.Event], Awaitable[T]]) -> T:
    """Run a work that lasts until the event it is given is set: by the first signal. A second signal cancels it.

    SIGTERM is the regular end of a service and returns; SIGINT raises `Interrupted` once all has ended.
    """
    return _run_with_signals(work, cancel_at=2)


def _run_with_signals(work: Callable[[asyncio.Event], Awaitable[T]], *, cancel_at: int) -> T:
    received: list[signal.Signals] = []

    async def supervise() -> T:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        task = asyncio.ensure_future(work(stop))

        def note(number: signal.Signals) -> None:
            received.append(number)
            stop.set()
            if len(received) >= cancel_at:
                task.cancel()

        for number in SIGNALS:
            loop.add_signal_handler(number, note, number)
        try:
            return await task
        finally:
            for number in SIGNALS:
                loop.remove_signal_handler(number)
            _release_interrupt(received)

    with asyncio.Runner(loop_factory=_choose_loop_factory()) as runner:
        try:
            result = runner.run(supervise())
        except asyncio.CancelledError:
            if not received:
                raise
            raise Interrupted(received[0]) from None
    if received and (cancel_at == 1 or received[0] is signal.SIGINT):
        raise Interrupted(received[0])
    return result


def _release_interrupt(received: Sequence[signal.Signals]) -> None:
    """Once all is closed, let one more Ctrl-C end the process, as SIGTERM does: a thread that is stuck, in a read from
    a dead network disk, would hold it for ever.
    """
    if received:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def _choose_loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Uvloop where there is one, else Python's own."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
