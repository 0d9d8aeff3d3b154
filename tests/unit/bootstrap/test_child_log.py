"""What the supervisor tells of a child's output."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tournee.bootstrap import child_log
from tournee.bootstrap.child_log import ChildLog, read_line


def write(log: ChildLog, text: str) -> None:
    with log.path.open("a", encoding="utf-8") as file:
        file.write(text)


def tell(log: ChildLog) -> list[str]:
    with capture_logs() as told:
        log.tell_new()
    return [str(entry["event"]) for entry in told]


WARNING = json.dumps({"level": "warning", "event": "odd"}) + "\n"


def test_warnings_are_told_under_the_childs_name_and_the_rest_stays_in_the_file(tmp_path: Path) -> None:
    log = ChildLog(tmp_path / "worker.log", "worker 1")
    write(log, json.dumps({"level": "info", "event": "usual"}) + "\n" + WARNING + "a library's own words\n")
    with capture_logs() as told:
        log.tell_new()
    assert told == [{"event": "odd", "log_level": "warning", "process": "worker 1", "filed_already": True}]


def test_a_line_is_told_once_and_only_when_it_is_whole(tmp_path: Path) -> None:
    log = ChildLog(tmp_path / "worker.log", "worker 1")
    write(log, WARNING[:9])
    assert tell(log) == []
    write(log, WARNING[9:])
    assert tell(log) == ["odd"]
    assert tell(log) == []


def test_what_an_earlier_child_wrote_is_not_told_again(tmp_path: Path) -> None:
    write(ChildLog(tmp_path / "worker.log", "worker 1"), WARNING)
    assert tell(ChildLog(tmp_path / "worker.log", "worker 1")) == []


def test_a_file_that_was_cut_is_read_from_its_start(tmp_path: Path) -> None:
    log = ChildLog(tmp_path / "worker.log", "worker 1")
    write(log, "x" * 1000 + "\n")
    assert tell(log) == []
    log.path.write_text(WARNING, encoding="utf-8")
    assert tell(log) == ["odd"]


def test_a_burst_is_read_from_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_log, "LONGEST_LOOK_BYTES", 3 * len(WARNING))
    log = ChildLog(tmp_path / "worker.log", "worker 1")
    write(log, WARNING * 100)
    assert tell(log) == ["odd"] * 3


def test_a_traceback_is_told_by_its_last_line() -> None:
    line = json.dumps({"level": "error", "event": "failed", "exception": "Traceback\n  File\nValueError: odd"})
    assert read_line(line) == (logging.ERROR, "failed", {"error": "ValueError: odd"}, True)


@pytest.mark.parametrize("line", ["", "Traceback (most recent call last):", "[]", "3", '{"level": "info"}', '{"a": 1}'])
def test_what_is_no_warning_is_not_told(line: str) -> None:
    assert read_line(line) is None


def test_the_line_with_which_a_command_ends_is_an_error() -> None:
    assert read_line("tournee: Redis is away: start it") == (logging.ERROR, "Redis is away: start it", {}, False)
