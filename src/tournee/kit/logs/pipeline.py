"""The way of every line of this process: from structlog and from the standard library's logging to the sinks.

Owns the process's sinks and its level. Invariant: logging works before, between and after configurations; with no sink
a line goes to the standard library's last resort.
"""

from __future__ import annotations

import atexit
import logging
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import structlog
from structlog.contextvars import get_contextvars

from tournee.kit.logs.captured_error import CapturedError, capture_error
from tournee.kit.logs.correlation import read_correlation
from tournee.kit.logs.entry import Entry
from tournee.kit.logs.sink import Sink, SinkCounts
from tournee.kit.trace import TraceParts

STOP_SECONDS = 2.0
FILED_ALREADY = "filed_already"
"""A field that keeps a line out of files, because the process it tells of has written it there itself."""

_LEVELS = {
    "debug": 10,
    "info": 20,
    "warning": 30,
    "warn": 30,
    "error": 40,
    "exception": 40,
    "critical": 50,
    "fatal": 50,
}


class Pipeline:
    """Hands each line to the sinks that want it. `level` may be changed at any moment."""

    def __init__(self) -> None:
        self.level = logging.INFO
        self.locate: Callable[[str | None], TraceParts | None] | None = None
        """Tells the span that the calling task is in, given the trace that a line names; set where somebody traces."""
        self._sinks: Sequence[Sink] = ()
        self._attached: Sequence[Sink] = ()
        self._files: frozenset[str] = frozenset()

    def open(self, sinks: Sequence[Sink], files: Sequence[str] = ()) -> None:
        """Take lines to these from now on; `files` names those that a line of somebody else's is kept out of."""
        for sink in sinks:
            sink.start()
        earlier, self._sinks, self._files = self._sinks, tuple(sinks), frozenset(files)
        _stop(earlier)

    def attach(self, sink: Sink) -> None:
        """Give lines to this one as well, whatever is opened and closed, but none that somebody else has written."""
        sink.start()
        self._attached = (*self._attached, sink)

    def detach(self, sink: Sink) -> None:
        """Give it no more lines. Whoever attached it stops it."""
        self._attached = tuple(other for other in self._attached if other is not sink)

    def close(self) -> None:
        """Write what is queued, within a bound, and stop."""
        earlier, self._sinks = self._sinks, ()
        _stop(earlier)

    def put(self, level: int, logger: str, fields: dict[str, Any], error: CapturedError | None = None) -> None:
        """Queue one line. Never waits; never raises."""
        if not self._sinks:
            _say_last_resort(level, logger, fields)
            if not self._attached:
                return
        correlation: Mapping[str, object] = read_correlation()
        bound = get_contextvars()
        if bound:
            correlation = {**correlation, **bound}
        filed = FILED_ALREADY in fields and fields.pop(FILED_ALREADY)
        entry = Entry(time.time(), level, logger, fields, correlation, error, self._find_span(fields, correlation))
        for sink in self._sinks:
            if level >= sink.level and not (filed and sink.name in self._files):
                sink.offer(entry)
        for sink in self._attached:
            if level >= sink.level and not filed:
                sink.offer(entry)

    def flush(self, seconds: float = STOP_SECONDS) -> bool:
        """Wait until what is queued now is written; for tests and ends."""
        return all(sink.flush(seconds) for sink in (*self._sinks, *self._attached))

    def count(self) -> Mapping[str, SinkCounts]:
        """By sink, what became of the lines; for metrics."""
        return {sink.name: sink.count() for sink in (*self._sinks, *self._attached)}

    def _find_span(self, fields: Mapping[str, Any], correlation: Mapping[str, object]) -> TraceParts | None:
        if self.locate is None:
            return None
        named = fields.get("trace") or correlation.get("trace")
        try:
            return self.locate(named if isinstance(named, str) else None)
        except Exception:
            # A line without its span is better than none.
            return None


PIPELINE = Pipeline()
atexit.register(PIPELINE.close)


class LevelledLogger(structlog.BoundLoggerBase):
    """Structlog's face: the methods that code calls. What is below the level costs one comparison."""

    def debug(self, event: str, *args: Any, **fields: Any) -> None:
        self._log(10, "debug", event, args, fields)

    def info(self, event: str, *args: Any, **fields: Any) -> None:
        self._log(20, "info", event, args, fields)

    def warning(self, event: str, *args: Any, **fields: Any) -> None:
        self._log(30, "warning", event, args, fields)

    def error(self, event: str, *args: Any, **fields: Any) -> None:
        self._log(40, "error", event, args, fields)

    def critical(self, event: str, *args: Any, **fields: Any) -> None:
        self._log(50, "critical", event, args, fields)

    def exception(self, event: str, *args: Any, **fields: Any) -> None:
        """An error with the exception that is being handled."""
        fields.setdefault("exc_info", True)
        self._log(40, "error", event, args, fields)

    def log(self, level: int, event: str, *args: Any, **fields: Any) -> None:
        """A line of a level known at run time only."""
        self._log(level, logging.getLevelName(level).lower(), event, args, fields)

    warn = warning
    fatal = critical

    def _log(self, level: int, name: str, event: str, args: tuple[Any, ...], fields: dict[str, Any]) -> None:
        if level >= PIPELINE.level:
            # Through structlog's processors, of which there are none: that is how its test tools listen.
            self._proxy_to_logger(name, event % args if args else event, **fields)


class NamedLogger:
    """What structlog calls last, with the whole event."""

    def __init__(self, name: str = "") -> None:
        self._name = name

    def __getattr__(self, method: str) -> Any:
        level = _LEVELS.get(method)
        if level is None:
            if not method.startswith("level "):
                raise AttributeError(method)
            level = int(method[6:])
        name = self._name

        def put(**fields: Any) -> None:
            PIPELINE.put(level, name, fields, take_error(fields.pop("exc_info", None)))

        setattr(self, method, put)
        return put


class PipelineHandler(logging.Handler):
    """The standard library's lines, those of all libraries, into the same pipeline."""

    def createLock(self) -> None:  # noqa: N802 - the library's name
        """None is needed: a line of a signal's handler must not wait for the line that it interrupted."""
        self.lock = None

    def emit(self, record: logging.LogRecord) -> None:
        """Never raises: a line whose arguments do not fit its text is taken as it stands."""
        try:
            event = record.getMessage()
        except Exception:
            event = f"{record.msg} {record.args!r}"
        fields = {"event": event}
        if record.stack_info:
            fields["stack"] = record.stack_info
        PIPELINE.put(record.levelno, record.name, fields, take_error(record.exc_info))


def take_error(given: Any) -> CapturedError | None:
    """The exception that `exc_info` means, captured."""
    if given is None or given is False:
        return None
    if isinstance(given, tuple):
        given = given[1]
    elif not isinstance(given, BaseException):
        given = sys.exc_info()[1]
    return capture_error(given) if isinstance(given, BaseException) else None


def _stop(sinks: Sequence[Sink]) -> None:
    deadline = time.monotonic() + STOP_SECONDS
    for sink in sinks:
        sink.stop(max(0.0, deadline - time.monotonic()))


def _say_last_resort(level: int, logger: str, fields: Mapping[str, Any]) -> None:
    words = " ".join(f"{name}={value!r}" for name, value in fields.items() if name != "event")
    record = logging.LogRecord(logger, level, "", 0, f"{fields.get('event')} {words}".rstrip(), None, None)
    if logging.lastResort is not None and level >= logging.lastResort.level:
        logging.lastResort.handle(record)
