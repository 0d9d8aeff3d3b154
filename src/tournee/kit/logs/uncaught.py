"""What nobody caught: exceptions that end a thread or come from a destructor, and warnings, into the log.

Whoever listened before is asked afterwards; Python's own printing is not, since the line says it all. An exception that
ends the main thread is left to whoever runs it, who tells the user.
"""

from __future__ import annotations

import logging
import sys
import threading

from tournee.kit.logs.captured_error import capture_error
from tournee.kit.logs.pipeline import PIPELINE


def capture_uncaught() -> None:
    """Have them logged from now on. May be called again."""
    logging.captureWarnings(capture=True)
    if not getattr(threading.excepthook, "_logs", False):
        _listen_to_threads()
    if not getattr(sys.unraisablehook, "_logs", False):
        _listen_to_destructors()


def _listen_to_threads() -> None:
    earlier = threading.excepthook

    def log_thread(given: threading.ExceptHookArgs) -> None:
        if given.exc_value is not None and not isinstance(given.exc_value, SystemExit):
            name = given.thread.name if given.thread else None
            fields = {"event": "a thread ended with an error", "thread": name}
            PIPELINE.put(logging.ERROR, __name__, fields, capture_error(given.exc_value))
        if earlier is not threading.__excepthook__:
            earlier(given)

    log_thread._logs = True  # type: ignore[attr-defined]
    threading.excepthook = log_thread


def _listen_to_destructors() -> None:
    earlier = sys.unraisablehook

    def log_unraisable(given: sys.UnraisableHookArgs) -> None:
        if given.exc_value is not None:
            fields = {
                "event": given.err_msg or "an error that could not be raised",
                "where": type(given.object).__name__,
            }
            PIPELINE.put(logging.ERROR, __name__, fields, capture_error(given.exc_value))
        if earlier is not sys.__unraisablehook__:
            earlier(given)

    log_unraisable._logs = True  # type: ignore[attr-defined]
    sys.unraisablehook = log_unraisable
