"""Logging of one process, ours and that of the libraries we use.

Keeps: nothing but results on stdout; on a terminal a line is for a person, elsewhere it is one JSON object; a
traceback goes into JSON and files, never onto a terminal, where its last line says enough. A terminal is told the same
thing once in a while only, since an outage makes every service complain.
"""

from __future__ import annotations

import logging
import logging.handlers
import sys
import time
from pathlib import Path
from typing import Any, TextIO

import structlog
from structlog.types import EventDict, Processor

MAX_FILE_BYTES = 8 * 1024 * 1024
REPEAT_SECONDS = 10.0
OURS = ("tournee", "tournee_sandbox")

_SHARED: tuple[Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
)
_installed: list[logging.Handler] = []


def configure_logs(*, level: int = logging.INFO, file: Path | None = None) -> None:
    """Set this process's logging up, in place of what an earlier call did. stderr gets `level` and above; `file` gets
    info and above, whatever stderr gets.
    """
    structlog.configure(
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    for handler in _installed:
        root.removeHandler(handler)
        handler.close()
    _installed.clear()
    _install(_StderrHandler(), level, terminal=sys.stderr.isatty())
    if file is not None:
        file.parent.mkdir(mode=0o700, exist_ok=True)
        _install(logging.handlers.RotatingFileHandler(file, maxBytes=MAX_FILE_BYTES, backupCount=1), logging.INFO)
        file.chmod(0o600)
    root.setLevel(logging.WARNING)
    for name in OURS:
        logging.getLogger(name).setLevel(logging.INFO)


def _install(handler: logging.Handler, level: int, *, terminal: bool = False) -> None:
    handler.setLevel(level)
    last: list[Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if terminal:
        handler.addFilter(RepeatFilter())
        last += [shorten_error, structlog.dev.ConsoleRenderer(pad_event_to=0)]
    else:
        last += [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=str)]
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processors=last, foreign_pre_chain=_SHARED))
    logging.getLogger().addHandler(handler)
    _installed.append(handler)


class _StderrHandler(logging.StreamHandler[TextIO]):
    """Writes to what is stderr at that moment, which a progress bar replaces by a stream that writes above itself."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:
        return sys.stderr

    @stream.setter
    def stream(self, value: TextIO) -> None:
        raise AttributeError("it is always stderr")


class RepeatFilter(logging.Filter):
    """Lets the same event of the same part through once in `REPEAT_SECONDS`."""

    def __init__(self) -> None:
        super().__init__()
        self._told: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """See `logging.Filter`."""
        message = record.msg
        event = str(message.get("event")) if isinstance(message, dict) else str(message)
        now = time.monotonic()
        self._told = {name: at for name, at in self._told.items() if now - at < REPEAT_SECONDS}
        if event in self._told:
            return False
        self._told[event] = now
        return True


def shorten_error(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """An exception becomes its last line: the files have the rest."""
    found = event.pop("exc_info", None)
    event.pop("exception", None)
    if isinstance(found, tuple):
        found = found[1]
    elif found is True:
        found = sys.exc_info()[1]
    if isinstance(found, BaseException):
        event.setdefault("error", f"{type(found).__name__}: {found}")
    return event
