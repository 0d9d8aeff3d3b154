"""Logging belongs to the whole process: a test that sets it up puts back what it found."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from tournee.bootstrap.logs import close_logs


@contextmanager
def restored_logging() -> Iterator[None]:
    """At the end nothing of `configure_logs` is left: no sink, no level, no hook, no captured warning."""
    root = logging.getLogger()
    level, hooks = root.level, (threading.excepthook, sys.unraisablehook)
    try:
        yield
    finally:
        close_logs()
        root.setLevel(level)
        logging.captureWarnings(capture=False)
        threading.excepthook, sys.unraisablehook = hooks
        structlog.reset_defaults()
