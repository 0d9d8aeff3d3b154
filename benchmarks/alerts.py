"""What monitoring costs: recording an error beside logging one, an API with and without it, a million errors a minute.

    .venv/bin/python -m benchmarks.alerts [--quick]

Goals: recording takes under 10 µs in the median and under 200 µs at the 99th percentile of the calling thread's CPU
time, and no longer than `logging.error` into a `QueueHandler`, while Discord hangs, the disk is full or the queue is
full; an API with monitoring serves at least 0.97 of what it serves without; a million errors in a minute leave memory
flat, make a handful of messages, and all are counted. Median of five, rounds interleaved.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import logging.handlers
import os
import platform
import queue
import resource
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from tournee.alerts import AlertMiddleware, Alerts, AlertSettings
from tournee.alerts.ports import Message
from tournee.alerts.service import Channels

ROUNDS = 5
SCOPE: dict[str, Any] = {"type": "http", "method": "GET", "path": "/items/4711", "headers": []}


class Hanging:
    """A Discord that never answers."""

    name = "discord"

    def __init__(self) -> None:
        self.messages = 0

    def count_fitting(self, messages: Sequence[Message]) -> int:
        return min(10, len(messages))

    async def send(self, messages: Sequence[Message]) -> float:
        self.messages += len(messages)
        await asyncio.Event().wait()
        return 0.0

    async def close(self) -> None:
        """Nothing is held."""


class Taking(Hanging):
    """A Discord that takes everything."""

    async def send(self, messages: Sequence[Message]) -> float:
        self.messages += len(messages)
        return 0.0


@contextlib.contextmanager
def run_alerts(channel: Hanging, **settings: Any) -> Iterator[Alerts]:
    """Alerts with a channel that hangs or takes."""
    given = {"production": True, "quiet_start_seconds": 0.0, **settings}
    alerts = Alerts(AlertSettings(**given), Channels(lambda: channel))
    alerts.start()
    try:
        yield alerts
    finally:
        alerts.stop(0.1)


@contextlib.contextmanager
def log_into_a_queue() -> Iterator[logging.Logger]:
    """What one does today: a QueueHandler, drained by a thread that writes to nowhere."""
    logger = logging.getLogger("benchmark")
    logger.propagate = False
    waiting: queue.SimpleQueue[Any] = queue.SimpleQueue()
    handler = logging.handlers.QueueHandler(waiting)
    listener = logging.handlers.QueueListener(waiting, logging.NullHandler())
    logger.addHandler(handler)
    listener.start()
    try:
        yield logger
    finally:
        listener.stop()
        logger.removeHandler(handler)


def time_calls(call: Callable[[], None], calls: int) -> list[int]:
    """Nanoseconds of this thread's CPU time for each call."""
    clock = time.thread_time_ns
    spent = []
    for number in range(calls):
        before = clock()
        call()
        spent.append(clock() - before)
        if number % 50 == 49:
            # Errors do not come in one breath: the other threads run in between.
            time.sleep(0)
    return spent


def raise_one() -> BaseException:
    """An exception with a stack of some depth."""

    def descend(depth: int) -> None:
        if depth:
            descend(depth - 1)
        raise ValueError("an error")

    try:
        descend(20)
    except ValueError as error:
        return error
    raise AssertionError


def measure_recording(calls: int) -> None:
    """Each way to record, beside logging, round by round."""
    error = raise_one()
    hanging, full = Hanging(), Hanging()
    with (
        run_alerts(hanging) as calm,
        run_alerts(full, queue_limit=1) as crowded,
        log_into_a_queue() as logger,
        disk_full(),
    ):
        ways: dict[str, Callable[[], None]] = {
            "response 500, Discord hangs": lambda: calm.monitor.record_response(500, SCOPE),
            "exception, Discord hangs": lambda: calm.monitor.record_exception(error, SCOPE),
            "provider failure, Discord hangs": lambda: calm.monitor.record_provider_failure("mistral", error),
            "exception, queue full": lambda: crowded.monitor.record_exception(error, SCOPE),
            "logging.error, QueueHandler": lambda: logger.error("request failed %s", "/items/4711"),
        }
        rounds: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
        for _ in range(ROUNDS):
            for name, call in ways.items():
                spent = sorted(time_calls(call, calls))
                rounds[name].append((statistics.median(spent) / 1000, spent[int(len(spent) * 0.99)] / 1000))
    base = statistics.median(median for median, _ in rounds["logging.error, QueueHandler"])
    print(f"\n{'recording, CPU time of the calling thread':42} {'median µs':>10} {'p99 µs':>8} {'÷ logging':>10}")
    for name, figures in rounds.items():
        median, p99 = (statistics.median(column) for column in zip(*figures, strict=True))
        print(f"{name:42} {median:10.2f} {p99:8.1f} {median / base:10.2f}")


@contextlib.contextmanager
def disk_full() -> Iterator[None]:
    """A log whose disk is full: every write of it fails."""
    handler = logging.FileHandler("/dev/full")
    logging.raiseExceptions, before = False, logging.raiseExceptions
    logging.getLogger("tournee").addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger("tournee").removeHandler(handler)
        with contextlib.suppress(OSError):
            handler.close()
        logging.raiseExceptions = before


async def serve(app: Any, requests: int) -> float:
    """Requests a second that the application answers in this process, without a network."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(_message: Any) -> None:
        """Nobody reads it."""

    base = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "query_string": b"",
        "headers": [],
        "scheme": "http",
    }
    begun = time.process_time()
    for _ in range(requests):
        await app({**base, "path": "/items/1", "raw_path": b"/items/1", "root_path": "", "app": None}, receive, send)
    return requests / (time.process_time() - begun)


def make_app(alerts: Alerts | None) -> FastAPI:
    """The same small API, watched or not."""
    app = FastAPI()

    @app.get("/items/{item}")
    async def read_item(item: int) -> dict[str, int]:
        return {"item": item}

    if alerts is not None:
        app.add_middleware(AlertMiddleware, monitor=alerts.monitor)
    return app


async def compare_apps(apps: dict[str, FastAPI], number: int, requests: int) -> dict[str, float]:
    """One round in small slices, taken in turns, so that a noisy neighbour meets both."""
    figures = dict.fromkeys(apps, 0.0)
    for part in range(10):
        for name in sorted(apps, reverse=bool((number + part) % 2)):
            figures[name] += await serve(apps[name], requests // 10) / 10
    return figures


async def measure_api(requests: int) -> None:
    """With and without, round by round, the order turned each time."""
    with run_alerts(Hanging()) as alerts:
        apps = {"off": make_app(None), "on": make_app(alerts)}
        ratios, rates = [], {"off": [0.0], "on": [0.0]}
        for app in apps.values():
            await serve(app, requests // 4)
        for number in range(ROUNDS):
            figures = await compare_apps(apps, number, requests)
            ratios.append(figures["on"] / figures["off"])
            for name, figure in figures.items():
                rates[name].append(figure)
    off, on = (statistics.median(rates[name][1:]) for name in ("off", "on"))
    print(f"\nAPI, requests per second of CPU: off {off:,.0f}, on {on:,.0f}, ratio {statistics.median(ratios):.3f}")


def measure_storm(errors: int, seconds: float) -> None:
    """So many errors in so much time from four threads: what is counted, told, and kept in memory."""
    channel, error = Taking(), raise_one()
    with run_alerts(channel) as alerts:
        sizes = []

        def fail(share: int) -> None:
            begun = time.monotonic()
            for number in range(share):
                alerts.monitor.record_exception(error, {**SCOPE, "path": f"/items/{number}"})
                if number % 100 == 0:
                    ahead = number / share * seconds - (time.monotonic() - begun)
                    time.sleep(max(0.0, ahead))

        threads = [threading.Thread(target=fail, args=(errors // 4,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            sizes.append(read_memory_mib())
            time.sleep(seconds / 20)
        deadline = time.monotonic() + 10
        while alerts.snapshot().monitor.recorded.get("request", 0) < errors and time.monotonic() < deadline:
            time.sleep(0.1)
        counts = alerts.snapshot()
    third = max(1, len(sizes) // 3)
    print(
        f"\n{errors:,} errors in {seconds:g} s: counted {counts.monitor.recorded['request']:,}"
        f" (of these {counts.monitor.overflowed:,} without details), messages {channel.messages},"
        f" memory {statistics.mean(sizes[:third]):.1f} → {statistics.mean(sizes[-third:]):.1f} MiB"
    )


def read_memory_mib() -> float:
    """Resident memory of this process."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize() / 2**20


def main() -> None:
    """Print a line for each figure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="fewer calls; figures are rough")
    quick = parser.parse_args().quick
    load = os.getloadavg()[0]
    print(f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, load {load:.1f}")
    measure_recording(2_000 if quick else 20_000)
    asyncio.run(measure_api(2_000 if quick else 10_000))
    measure_storm(100_000 if quick else 1_000_000, 6.0 if quick else 60.0)


if __name__ == "__main__":
    main()
