"""Logging of one process, ours and that of the libraries we use: which lines go where.

Keeps: nothing but results on stdout; warnings and errors of all processes are in one `errors.log`; on a terminal a line
is for a person, elsewhere it is one JSON object. The mechanism is `tournee.kit.logs`.
"""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path

import structlog

from tournee.kit.logs.entry import Entry
from tournee.kit.logs.level import LEVEL_FILE, LEVELS, LevelWatch
from tournee.kit.logs.pipeline import PIPELINE, LevelledLogger, NamedLogger, PipelineHandler
from tournee.kit.logs.sink import Sink
from tournee.kit.logs.terminal import TerminalForm
from tournee.kit.logs.uncaught import capture_uncaught
from tournee.kit.logs.writers import SharedFile, Stream, form_json
from tournee.settings import Settings

ERRORS_FILE = "errors.log"
MIB = 1024 * 1024
OWN_FILE_BYTES = 8 * MIB
OURS = ("tournee", "tournee_sandbox")

_HANDLER = PipelineHandler()
_NO_PROCESSORS: list[structlog.types.Processor] = []
"""One list for all times: loggers hold on to it, and structlog's test tools listen by it."""
_watching: list[LevelWatch] = []


def configure_logs(settings: Settings | None = None, *, level: int | None = None, file: Path | None = None) -> None:
    """Set this process's logging up, in place of what an earlier call did.

    stderr gets `level` (default: the setting's) and above; `errors.log` gets warnings and above; `file`, this process's
    own, gets what the setting's level lets through. The level can be changed at run time (`tournee log-level`). Without
    settings there is stderr only.
    """
    configured = LEVELS[settings.log_level] if settings is not None else logging.INFO
    structlog.configure(
        processors=_NO_PROCESSORS,
        wrapper_class=LevelledLogger,
        logger_factory=NamedLogger,
        cache_logger_on_first_use=True,
    )
    _open_sinks(settings, configured if level is None else level, file)
    _listen_to_libraries()
    _apply_level(configured)
    for watch in _watching:
        watch.stop()
    _watching.clear()
    if settings is not None:
        _watching.append(LevelWatch(settings.home / LEVEL_FILE, configured, _apply_level))
        _watching[0].start()
    capture_uncaught()


def close_logs() -> None:
    """Write what is queued, within a bound, and leave the process's logging alone."""
    for watch in _watching:
        watch.stop()
    _watching.clear()
    logging.getLogger().removeHandler(_HANDLER)
    PIPELINE.close()


def _open_sinks(settings: Settings | None, level: int, file: Path | None) -> None:
    terminal = sys.stderr.isatty()
    form = TerminalForm(colors=True) if terminal else form_json
    # What is stderr at that moment: a progress bar replaces it by a stream that writes above itself.
    console = Sink("stderr", Stream(lambda: sys.stderr, form, direct=not terminal).write, level)
    if settings is None:
        PIPELINE.open([console])
        return
    path = settings.logs / ERRORS_FILE

    def tell(error: Exception) -> None:
        words = getattr(error, "strerror", None) or repr(error)
        fields = {
            "event": "the log can't be written; lines are held and then dropped",
            "log": str(path),
            "error": words,
        }
        console.offer(Entry(time.time(), logging.WARNING, __name__, fields, {}))

    shared = SharedFile(path, most_bytes=settings.log_file_mib * MIB, kept=settings.log_files_kept)
    sinks = [console, Sink(ERRORS_FILE, shared.write, logging.WARNING, tell=tell)]
    if file is not None:
        own = SharedFile(file, most_bytes=OWN_FILE_BYTES, kept=1)
        sinks.append(Sink(file.name, own.write))
    PIPELINE.open(sinks, files=[ERRORS_FILE])


def _listen_to_libraries() -> None:
    root = logging.getLogger()
    if _HANDLER not in root.handlers:
        root.addHandler(_HANDLER)


def _apply_level(level: int) -> None:
    """Ours at this level; libraries tell warnings, and with `debug` what they call information."""
    PIPELINE.level = level
    logging.getLogger().setLevel(logging.INFO if level <= logging.DEBUG else max(level, logging.WARNING))
    for name in OURS:
        logging.getLogger(name).setLevel(level)
    for name in ("httpx", "httpcore"):  # They tell whole addresses, query and all, for each request.
        logging.getLogger(name).setLevel(logging.WARNING)
