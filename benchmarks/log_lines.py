"""What a log line costs the thread that logs it, beside the standard library's QueueHandler in the same run.

    python benchmarks/log_lines.py [--lines 20000] [--json]

Measured is the processor time of the calling thread for `log.error("…", queue=…, job=…)`, with and without an
exception, against `logging.error` with the same words into a `QueueHandler` whose queue is emptied by a thread that
throws away. Cases: a file that takes the lines, a disk that is full (the process's file size limit), a queue that is
full. Rounds of both sides take turns; shown is the median of 5 rounds, and the median and p99 of single calls.
"""

from __future__ import annotations

import argparse
import json
import logging
import logging.handlers
import os
import platform
import queue
import resource
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import structlog

from tournee.kit.logs.correlation import correlate
from tournee.kit.logs.pipeline import PIPELINE, LevelledLogger, NamedLogger
from tournee.kit.logs.sink import Sink
from tournee.kit.logs.writers import SharedFile

ROUNDS = 5
PAUSE_EVERY = 500
"""So many lines are logged, then the thread that writes may catch up; the pause is not measured."""
FIELDS = {"queue": "processMails", "job": 4711, "key": "ada:17", "attempt": 2, "error": "the answer has no summary"}
WORDS = "attempt failed queue=%s job=%s key=%s attempt=%s error=%s"

Log = Callable[[], None]


def build_standard() -> tuple[Log, Log]:
    """The standard library's way: with and without an exception."""
    waiting: queue.Queue[logging.LogRecord] = queue.Queue(-1)
    logger = logging.getLogger("benchmark.standard")
    logger.propagate = False
    logger.addHandler(logging.handlers.QueueHandler(waiting))

    def throw_away() -> None:
        while True:
            waiting.get()

    threading.Thread(target=throw_away, daemon=True).start()
    values = tuple(FIELDS.values())

    def log_plain() -> None:
        logger.error(WORDS, *values)

    def log_exception() -> None:
        logger.error(WORDS, *values, exc_info=True)  # noqa: LOG014 - called from an except clause

    return log_plain, log_exception


def build_ours() -> tuple[Log, Log]:
    """Ours, as all modules call it."""
    structlog.configure(
        processors=[], wrapper_class=LevelledLogger, logger_factory=NamedLogger, cache_logger_on_first_use=True
    )
    log = structlog.get_logger("tournee.benchmark")

    def log_plain() -> None:
        log.error("attempt failed", **FIELDS)

    def log_exception() -> None:
        log.error("attempt failed", **FIELDS, exc_info=True)  # noqa: LOG014 - called from an except clause

    return log_plain, log_exception


def measure(log: Log, lines: int, catch_up: Callable[[], object]) -> list[float]:
    """Processor time of each call, in microseconds."""
    times = []
    clock = time.thread_time_ns
    for number in range(lines):
        began = clock()
        log()
        times.append((clock() - began) / 1000)
        if number % PAUSE_EVERY == PAUSE_EVERY - 1:
            catch_up()
    return times


def compare(ours: Log, standard: Log, lines: int, catch_up: Callable[[], object]) -> dict[str, float]:
    """Rounds in turns; the ratio is that of the rounds' medians."""
    mine: list[list[float]] = []
    theirs: list[list[float]] = []
    for _ in range(ROUNDS):
        theirs.append(measure(standard, lines // ROUNDS, lambda: time.sleep(0.002)))
        mine.append(measure(ours, lines // ROUNDS, catch_up))
    own, other = (statistics.median(statistics.median(times) for times in rounds) for rounds in (mine, theirs))
    singles = sorted(value for times in mine for value in times)
    others = sorted(value for times in theirs for value in times)
    return {
        "median_us": round(own, 2),
        "p99_us": round(singles[int(len(singles) * 0.99)], 2),
        "standard_median_us": round(other, 2),
        "standard_p99_us": round(others[int(len(others) * 0.99)], 2),
        "ratio": round(own / other, 3),
    }


def call_in_exception(log: Log) -> Log:
    """Ten frames deep, as a handler's error is."""

    def fall(depth: int) -> None:
        if depth:
            fall(depth - 1)
        else:
            raise ValueError("the answer has no summary")

    try:
        fall(10)
    except ValueError as error:
        kept, trace = error, error.__traceback__

    def logged() -> None:
        try:
            raise kept.with_traceback(trace)  # Or each round would add to it.
        except ValueError:
            log()

    return logged


def run(lines: int, folder: Path) -> dict[str, dict[str, float]]:
    """All cases."""
    standard, standard_exception = build_standard()
    ours, ours_exception = build_ours()
    found: dict[str, dict[str, float]] = {}
    with correlate({"trace": "0af7651916cd43dd8448eb211c80319c", "request": "abc"}):
        PIPELINE.open([Sink("file", SharedFile(folder / "errors.log", most_bytes=16 << 20, kept=2).write)])
        found["a file"] = compare(ours, standard, lines, PIPELINE.flush)
        raised, raised_standard = call_in_exception(ours_exception), call_in_exception(standard_exception)
        found["a file, with an exception"] = compare(raised, raised_standard, lines // 4, PIPELINE.flush)
        size = (folder / "errors.log").stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        found["disk full"] = compare(ours, standard, lines, lambda: time.sleep(0.002))
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        stuck = threading.Event()
        PIPELINE.open([Sink("stuck", lambda _entries: stuck.wait() and None)])
        for _ in range(10_000):
            ours()
        found["queue full"] = compare(ours, standard, lines, lambda: time.sleep(0.002))
        stuck.set()
        PIPELINE.close()
    return found


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=20_000)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = run(arguments.lines, Path(folder))
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    if arguments.json:
        print(json.dumps({"machine": machine, "cases": found}))
        return
    print(f"{machine}\n{'case':<28}{'median':>9}{'p99':>9}{'standard':>10}{'p99':>9}{'ratio':>8}   (microseconds)")
    for name, case in found.items():
        print(
            f"{name:<28}{case['median_us']:>9}{case['p99_us']:>9}{case['standard_median_us']:>10}"
            f"{case['standard_p99_us']:>9}{case['ratio']:>8}"
        )


if __name__ == "__main__":
    main()
