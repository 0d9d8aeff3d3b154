"""Wrong usage: exit code 2, one clear line on stderr, nothing on stdout."""

from __future__ import annotations

import pytest

from tests.unit.cli.stand_in import StandIn
from tournee.cli.main import main

WRONG = {
    "an unknown command": ("bogus", "No such command 'bogus'"),
    "an unknown option": ("status --bogus", "No such option: --bogus"),
    "a missing argument": ("search", "Missing argument"),
    "an id that is no number": ("jobs show x", "Invalid value for 'ID'"),
    "an unknown queue": ("jobs list --queue mails", "unknown queue 'mails'"),
    "an unknown state": ("jobs list --state lost", "unknown state 'lost'"),
    "a bulk action with no filter": ("jobs cancel", "say which"),
    "a redrive with no filter": ("dead redrive", "say which"),
    "everything and a filter": ("dead discard --all --queue indexNews", "--all goes with no ids"),
    "an age without a unit": ("dead redrive --older-than 5", "an age is a number and one of"),
    "a limit below one": ("jobs list --limit 0", "Invalid value for '--limit'"),
    "an id beyond the ledger's": ("jobs show 99999999999999999999", "no job can have the id"),
    "ids beyond the ledger's": ("dead discard 7 99999999999999999999", "no job can have the id"),
    "no queue at all": ("worker --queues ,", "--queues names none"),
}


@pytest.mark.parametrize(("line", "message"), WRONG.values(), ids=WRONG.keys())
def test_wrong_usage_exits_2_with_one_clear_line(
    bootstrap: StandIn, capsys: pytest.CaptureFixture[str], line: str, message: str
) -> None:
    assert main(line.split()) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert len(printed.err.splitlines()) == 1
    assert message in printed.err
    assert bootstrap.asked == []


def test_a_group_without_a_command_shows_its_help_and_exits_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert capsys.readouterr().err.startswith("Usage: tournee")
    assert main(["jobs"]) == 2
    assert capsys.readouterr().err.endswith("audited.\n"), "its last sentence keeps its stop"


def test_a_search_for_blanks_is_wrong_usage(bootstrap: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search", " ", ""]) == 2
    assert capsys.readouterr().err == "tournee: say what to look for\n"
    assert bootstrap.asked == []


def test_a_misspelt_variable_is_told_of_before_it_does_harm(
    bootstrap: StandIn, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOURNEE_DATABSE_URL", "postgresql://db/mails")
    assert main(["status", "--json"]) == 0
    told = capsys.readouterr().err
    assert told == "tournee: TOURNEE_DATABSE_URL is read by nothing; was TOURNEE_DATABASE_URL meant?\n"


def test_the_version_is_a_result(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("tournee ")


def test_debug_after_two_dashes_is_a_word_like_any_other(
    bootstrap: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["search", "--", "--debug"]) == 0
    assert "match" in capsys.readouterr().out
