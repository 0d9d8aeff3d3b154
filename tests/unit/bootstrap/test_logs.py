"""Where log lines go, and in which form."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from tournee.bootstrap.logs import RepeatFilter, configure_logs, shorten_error


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Logging as it was: it belongs to the whole process."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    for handler in set(root.handlers) - set(handlers):
        root.removeHandler(handler)
        handler.close()
    root.setLevel(level)
    structlog.reset_defaults()


def test_nothing_but_results_is_on_stdout_and_the_file_gets_what_stderr_does_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logs(level=logging.WARNING, file=tmp_path / "up.log")
    log = structlog.get_logger("tournee.test")
    log.info("usual", number=1)
    log.warning("odd", number=2)
    logging.getLogger("asyncpg").warning("a library's %s", "words")
    printed = capsys.readouterr()
    assert printed.out == ""
    assert [json.loads(line)["event"] for line in printed.err.splitlines()] == ["odd", "a library's words"]
    kept = [json.loads(line) for line in (tmp_path / "up.log").read_text(encoding="utf-8").splitlines()]
    assert [entry["event"] for entry in kept] == ["usual", "odd", "a library's words"]
    assert kept[1]["level"] == "warning"
    assert (tmp_path / "up.log").stat().st_mode & 0o077 == 0


def test_a_traceback_is_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs()
    log = structlog.get_logger("tournee.test")
    try:
        raise ValueError("odd")
    except ValueError:
        log.exception("failed")
    [line] = capsys.readouterr().err.splitlines()
    assert "ValueError: odd" in json.loads(line)["exception"]


def test_a_terminal_is_told_the_last_line_of_a_traceback() -> None:
    assert shorten_error(None, "error", {"event": "failed", "exc_info": ValueError("odd")}) == {
        "event": "failed",
        "error": "ValueError: odd",
    }


def test_a_terminal_is_told_the_same_thing_once() -> None:
    repeats = RepeatFilter()
    records = [
        logging.LogRecord("a", logging.WARNING, "", 0, message, None, None)
        for message in ("away", "away", "back", "away")
    ]
    assert [repeats.filter(record) for record in records] == [True, False, True, False]
