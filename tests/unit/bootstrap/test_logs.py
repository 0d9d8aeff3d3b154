"""Where log lines go, and in which form."""

from __future__ import annotations

import json
import logging
import os
import signal
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from tests.support.process_logging import restored_logging
from tournee.bootstrap.logs import configure_logs
from tournee.kit.logs.correlation import correlate
from tournee.kit.logs.level import LEVEL_FILE, LevelWatch, read_level, write_level
from tournee.kit.logs.pipeline import FILED_ALREADY, PIPELINE, PipelineHandler
from tournee.kit.logs.terminal import TerminalForm, shorten
from tournee.settings import Settings


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Logging as it was: it belongs to the whole process."""
    with restored_logging():
        yield


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


def read_errors(settings: Settings) -> list[dict[str, Any]]:
    assert PIPELINE.flush()
    file = settings.logs / "errors.log"
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []


def test_nothing_but_results_is_on_stdout_and_files_get_what_stderr_does_not(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    own = settings.logs / "up.log"
    configure_logs(settings, level=logging.ERROR, file=own)
    log = structlog.get_logger("tournee.test")
    log.info("usual", number=1)
    log.warning("odd", number=2)
    logging.getLogger("asyncpg").error("a library's %s", "words")
    filed = read_errors(settings)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert [json.loads(line)["event"] for line in printed.err.splitlines()] == ["a library's words"]
    kept = [json.loads(line) for line in own.read_text(encoding="utf-8").splitlines()]
    assert [entry["event"] for entry in kept] == ["usual", "odd", "a library's words"]
    assert [entry["event"] for entry in filed] == ["odd", "a library's words"]
    assert (filed[0]["level"], filed[0]["logger"], filed[0]["number"]) == ("warning", "tournee.test", 2)
    for file in (own, settings.logs / "errors.log"):
        assert file.stat().st_mode & 0o777 == 0o600


def test_a_process_without_errors_makes_no_file(settings: Settings) -> None:
    configure_logs(settings)
    structlog.get_logger("tournee.test").info("usual")
    assert PIPELINE.flush()
    assert not settings.logs.exists()


def test_a_traceback_is_one_line_of_json(settings: Settings) -> None:
    configure_logs(settings)
    log = structlog.get_logger("tournee.test")
    try:
        raise ValueError("odd")
    except ValueError:
        log.exception("failed")
        logging.getLogger("asyncio").exception("failed too")
    for entry in read_errors(settings):
        assert "ValueError: odd" in entry["exception"]
        assert "test_a_traceback_is_one_line_of_json" in entry["exception"]


def test_lines_bear_what_is_bound_where_they_are_logged(settings: Settings) -> None:
    configure_logs(settings)
    log = structlog.get_logger("tournee.test")
    with correlate({"job": 7, "trace": "ab" * 16}), structlog.contextvars.bound_contextvars(tenant="ada"):
        log.error("inside")
        logging.getLogger("library").error("inside a library")
    log.error("outside")
    inside, library, outside = read_errors(settings)
    for entry in (inside, library):
        assert (entry["job"], entry["trace"], entry["tenant"]) == (7, "ab" * 16, "ada")
    assert not {"job", "trace", "tenant"} & set(outside)


def test_what_a_child_has_filed_itself_is_not_filed_again(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logs(settings)
    log = structlog.get_logger("tournee.test")
    log.error("the child's", **{FILED_ALREADY: True})
    log.error("ours", **{FILED_ALREADY: False})
    assert [entry["event"] for entry in read_errors(settings)] == ["ours"]
    assert [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()] == ["the child's", "ours"]


def test_a_second_configuration_takes_the_place_of_the_first(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logs(settings)
    configure_logs(settings)
    structlog.get_logger("tournee.test").error("once")
    assert len(read_errors(settings)) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_thread_that_dies_is_in_the_log(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "excepthook", threading.__excepthook__)
    configure_logs(settings)
    thread = threading.Thread(target=int, args=["nought"], name="doomed")
    thread.start()
    thread.join()
    [entry] = read_errors(settings)
    assert entry["thread"] == "doomed"
    assert "ValueError: invalid literal" in entry["exception"]


def test_a_warning_is_in_the_log(settings: Settings) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        configure_logs(settings)
        warnings.warn("old ways", UserWarning, stacklevel=1)
    [entry] = read_errors(settings)
    assert "UserWarning: old ways" in entry["event"]


def test_a_library_whose_words_do_not_fit_does_not_break_anything(settings: Settings) -> None:
    configure_logs(settings)
    # Not through the root logger, where pytest's own handler raises.
    record = logging.LogRecord("library", logging.ERROR, "", 0, "%d mails", ("many",), None)
    PipelineHandler().handle(record)
    assert "%d mails" in read_errors(settings)[0]["event"]


def test_the_level_follows_the_file_and_ends_with_its_time(settings: Settings) -> None:
    configure_logs(settings, file=settings.logs / "own.log")
    log = structlog.get_logger("tournee.test")
    file = settings.home / LEVEL_FILE
    watch = LevelWatch(file, logging.INFO, lambda level: setattr(PIPELINE, "level", level))
    log.debug("before")
    write_level(file, "debug", 60)
    assert file.stat().st_mode & 0o777 == 0o600
    watch.look()
    log.debug("while")
    write_level(file, "debug", 0)
    watch.look()
    log.debug("after")
    assert PIPELINE.flush()
    kept = [json.loads(line)["event"] for line in (settings.logs / "own.log").read_text().splitlines()]
    assert kept == ["while"]


def test_a_signal_switches_one_process_to_debug_and_back(settings: Settings) -> None:
    configure_logs(settings)
    log = structlog.get_logger("tournee.test")
    levels = []
    for _ in range(2):
        os.kill(os.getpid(), signal.SIGUSR1)
        levels.append(PIPELINE.level)
        log.debug("never breaks")
    assert levels == [logging.DEBUG, logging.INFO]


@pytest.mark.parametrize("content", ["", "debug", "[]", '{"level": "loud", "until": null}', '{"level": "debug"}', "\0"])
def test_a_level_that_can_not_be_understood_changes_nothing(tmp_path: Path, content: str) -> None:
    (tmp_path / "level").write_text(content)
    assert read_level(tmp_path / "level") is None


def test_a_terminal_is_told_the_last_line_of_a_traceback() -> None:
    event = {"event": "failed", "exception": "Traceback …\nValueError: odd\n", "logger": "tournee", "pid": 1}
    assert shorten(event) == {"event": "failed", "error": "ValueError: odd"}


def test_a_terminal_is_told_the_same_thing_once() -> None:
    form = TerminalForm(colors=False)
    told = [form({"event": message, "level": "warning"}) for message in ("away", "away", "back", "away")]
    assert [bool(line) for line in told] == [True, False, True, False]
    assert "away" in told[0]


def test_a_terminal_is_commanded_by_no_line() -> None:
    event = {"timestamp": "t", "level": "info", "event": "GET /\x1b[2J\r\nt [error    ] forged", "error": "\x9b31m\x07"}
    line = TerminalForm(colors=False)(event)
    assert line.isprintable(), line
    assert "GET /\\x1b[2J\\r\\nt [error    ] forged" in line
