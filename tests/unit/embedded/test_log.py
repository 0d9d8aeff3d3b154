"""The line that says why a start failed, and the bound on what servers print."""

from __future__ import annotations

from pathlib import Path

import pytest

from tournee.embedded.log import KEPT_LOG_BYTES, MAX_LOG_BYTES, ServerLog, explain_failure, pick_reason


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([], "it printed nothing"),
        (["", "stopped", ""], "stopped"),
        (
            [
                '2026-11-23 17:25:24.717 UTC [15198] FATAL:  could not open file "x": Permission denied',
                "2026-11-23 17:25:24.718 UTC [15198] LOG:  database system is shut down",
            ],
            'FATAL:  could not open file "x": Permission denied',
        ),
        (
            ["15177:M 23 Nov 2026 17:25:23.792 # Bad file format reading the append only file", "15177:M done"],
            "Bad file format reading the append only file",
        ),
    ],
)
def test_the_last_grave_line_is_the_reason_without_its_stamp(lines: list[str], reason: str) -> None:
    assert pick_reason(lines) == reason


def test_a_full_disk_is_named_before_any_other_reason(tmp_path: Path) -> None:
    lines = ["initdb: error: could not write to file: No space left on device", "initdb: removing data directory"]
    message = str(explain_failure("PostgreSQL", lines, tmp_path / "logs" / "postgresql.log"))
    assert message == f"PostgreSQL can't write: the disk that holds {tmp_path} is full: free some space"


def test_a_log_that_grew_too_large_is_cut_under_its_writer(tmp_path: Path) -> None:
    log = ServerLog(tmp_path / "server.log")
    with log.open_for_append() as writer, open(writer, "wb", buffering=0, closefd=False) as file:
        file.write(b"x" * MAX_LOG_BYTES + b"last words\n")
        log.trim()
        file.write(b"first words after\n")
    assert log.path.read_bytes() == b"first words after\n"
    kept = (tmp_path / "server.log.1").read_bytes()
    assert len(kept) == KEPT_LOG_BYTES
    assert kept.endswith(b"last words\n")


def test_only_what_was_written_since_the_mark_is_read(tmp_path: Path) -> None:
    log = ServerLog(tmp_path / "server.log")
    assert log.read_since(log.mark()) == []
    log.path.write_text("before\n", encoding="ascii")
    mark = log.mark()
    with log.path.open("a", encoding="ascii") as file:
        file.write("after\n")
    assert log.read_since(mark) == ["after"]
