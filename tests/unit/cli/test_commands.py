"""What each command asks, prints and answers."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.unit.cli.stand_in import REFUSED, SUMMARY, StandIn
from tournee.cli.main import main
from tournee.reports import BulkOrder, Finding, ImportOrder, ImportSummary, JobFilter, Verdict
from tournee.settings import DEFAULT_CONCURRENCY

Capture = pytest.CaptureFixture[str]

SUMMARY_KEYS = (
    "messages newsletters confirmations others unparsable analysed cache_hits invalid indexed notified duplicates "
    "not_mail failed dead lost seconds"
).split()


def test_import_ends_with_the_summary_on_one_line_of_stdout(
    bootstrap: StandIn, capsys: Capture, tmp_path: Path
) -> None:
    assert main(["import", str(tmp_path), "--json"]) == 0
    printed = capsys.readouterr()
    assert list(json.loads(printed.out)) == SUMMARY_KEYS
    assert printed.out.count("\n") == 1
    assert "staged: 3 of 3" in printed.err
    assert bootstrap.asked == [("migrate", True), ImportOrder(str(tmp_path), "import", None)]
    assert bootstrap.closed == 1


def test_import_that_lost_a_message_fails(
    bootstrap: StandIn, capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.unit.cli.stand_in.SUMMARY", ImportSummary(messages=3, newsletters=3, lost=1, analysed=3))
    assert main(["import", str(tmp_path), "--json"]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == "tournee: not everything is accounted for"


def test_demo_once_ends_with_the_same_summary(bootstrap: StandIn, capsys: Capture) -> None:
    assert main(["demo", "--once"]) == 0
    printed = capsys.readouterr()
    assert list(json.loads(printed.out)) == SUMMARY_KEYS
    assert json.loads(printed.out)["messages"] == SUMMARY.messages
    assert "http://127.0.0.1:8420/" in printed.err


def test_jobs_list_answers_an_object_with_whole_rows(bootstrap: StandIn, capsys: Capture) -> None:
    assert main(["jobs", "list", "--json", "--queue", "processMails", "--state", "dead", "--limit", "5"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["jobs"][0]["id"] == 7
    assert document["jobs"][0]["created_at"] == "2026-01-02T03:04:05+00:00"
    assert JobFilter(queue="processMails", states=("dead",), limit=5) in bootstrap.asked


def test_a_table_shows_no_control_character_of_foreign_text(bootstrap: StandIn, capsys: Capture) -> None:
    assert main(["dead", "list"]) == 0
    printed = capsys.readouterr().out
    assert "JSON" in printed
    assert "\x1b" not in printed
    assert "\u202e" not in printed


def test_jobs_show_answers_the_job_with_its_attempts(bootstrap: StandIn, capsys: Capture) -> None:
    assert main(["jobs", "show", "7", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["state"] == "dead"
    assert document["payload"] == {"newsletter_id": 7}
    assert document["attempts"][0]["outcome"] == "failed"
    assert main(["jobs", "show", "7"]) == 0
    assert "Rejected: not JSON" in capsys.readouterr().out


def test_a_job_that_the_ledger_has_not_is_a_failure(bootstrap: StandIn, capsys: Capture) -> None:
    assert main(["jobs", "show", "8"]) == 1
    assert capsys.readouterr().err == "tournee: the ledger has no job 8\n"


def test_redrive_passes_filter_reason_and_dry_run_on(bootstrap: StandIn, capsys: Capture) -> None:
    assert main(["dead", "redrive", "--queue", "indexNews", "--older-than", "2h", "--reason", "x", "--dry-run"]) == 0
    assert capsys.readouterr().out == "redrive: would change 1\n"
    which, order = bootstrap.asked[-2:]
    assert isinstance(which, JobFilter)
    assert isinstance(order, BulkOrder)
    assert which.before is not None
    assert abs(datetime.now(UTC) - timedelta(hours=2) - which.before) < timedelta(minutes=1)
    assert (order.reason, order.dry_run) == ("x", True)
    assert order.actor.startswith("cli:")


def test_status_shows_ledger_and_redis_side_by_side(bootstrap: StandIn, capsys: Capture) -> None:
    assert main(["status", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["queues"][0]["redis_waiting"] == 2
    assert document["workers"][0]["queues"] == {"processMails": 8}
    assert main(["status"]) == 0
    assert "queues, in Redis" in capsys.readouterr().out


def test_reconcile_counts_what_it_repaired(bootstrap: StandIn, capsys: Capture) -> None:
    assert main(["reconcile", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["repairs"], document["queues"][0]["lost"]) == (2, 2)


def test_search_marks_the_match(bootstrap: StandIn, capsys: Capture) -> None:
    assert main(["search", "two", "words"]) == 0
    assert "«match»" in capsys.readouterr().out
    assert main(["search", "nothing"]) == 0
    assert capsys.readouterr().out == "nothing found\n"


def test_migrate_says_what_it_applied(bootstrap: StandIn, capsys: Capture) -> None:
    assert main(["migrate"]) == 0
    assert capsys.readouterr().out == "schema empty -> 0002: 0001, 0002\n"


def test_worker_takes_concurrency_from_the_settings_or_the_line(bootstrap: StandIn, capsys: Capture) -> None:
    assert main(["worker", "--queues", "fetchEmails,indexNews"]) == 0
    assert main(["worker", "--queues", "indexNews", "--concurrency", "3"]) == 0
    assert bootstrap.asked == [
        {queue: DEFAULT_CONCURRENCY[queue] for queue in ("fetchEmails", "indexNews")},
        {"indexNews": 3},
    ]


def test_doctor_answers_3_when_something_is_missing(bootstrap: StandIn, capsys: Capture) -> None:
    assert main(["doctor", "--json"]) == 0
    capsys.readouterr()
    bootstrap.findings = (Finding("redis", Verdict.FAILED, "it evicts", "set maxmemory-policy noeviction"),)
    assert main(["doctor", "--json"]) == 3
    document = json.loads(capsys.readouterr().out)
    assert document["healthy"] is False
    assert document["findings"][-1]["remedy"] == "set maxmemory-policy noeviction"


def test_doctor_tells_of_bad_settings_and_of_variables_that_nothing_reads(
    bootstrap: StandIn, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOURNEE_WEB_PROT", "1")
    assert main(["doctor", "--json"]) == 0
    assert "TOURNEE_WEB_PORT" in json.loads(capsys.readouterr().out)["findings"][0]["detail"]
    monkeypatch.setenv("TOURNEE_WEB_PORT", "none")
    assert main(["doctor", "--json"]) == 3
    assert "given 'none'" in json.loads(capsys.readouterr().out)["findings"][0]["detail"]


def test_an_incomplete_set_up_exits_3_with_what_to_do(bootstrap: StandIn, capsys: Capture) -> None:
    bootstrap.failure = REFUSED
    assert main(["up"]) == 3
    assert capsys.readouterr().err == f"tournee: {REFUSED}\n"


def test_a_bad_variable_exits_3_with_its_name(
    bootstrap: StandIn, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOURNEE_BOARD_PORT", "x")
    assert main(["status"]) == 3
    assert capsys.readouterr().err.startswith("tournee: TOURNEE_BOARD_PORT: given 'x'; allowed: ")


def test_an_unexpected_error_is_one_line_and_debug_shows_the_rest(bootstrap: StandIn, capsys: Capture) -> None:
    bootstrap.failure = RuntimeError("odd")
    assert main(["status"]) == 1
    assert capsys.readouterr().err.splitlines() == ["tournee: RuntimeError: odd", "tournee: --debug shows where"]
    assert main(["status", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err
