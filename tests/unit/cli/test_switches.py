"""Queues and schedules on the command line: listed, paused, resumed, forgotten."""

from __future__ import annotations

import json

import pytest

from tests.unit.cli.stand_in import StandIn
from tournee.cli.main import main

Capture = pytest.CaptureFixture[str]


def test_queues_and_schedules_are_listed_as_objects_and_as_tables(bootstrap: StandIn, capsys: Capture) -> None:
    assert main(["queues", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["queues"][0]["queue"] == "processMails"
    assert main(["schedules", "list", "--json"]) == 0
    [schedule] = json.loads(capsys.readouterr().out)["schedules"]
    assert (schedule["name"], schedule["next_at"], schedule["served"]) == ("watch", "2026-01-02T03:04:05+00:00", False)
    assert main(["queues", "list"]) == 0
    assert "processMails" in capsys.readouterr().out
    assert main(["schedules", "list"]) == 0
    assert "declared by no live process" in capsys.readouterr().out
    assert main(["status"]) == 0
    assert "0 4 * * *" in capsys.readouterr().out


@pytest.mark.parametrize(("group", "name"), [("queues", "processMails"), ("schedules", "watch")])
@pytest.mark.parametrize(("verb", "paused"), [("pause", True), ("resume", False)])
def test_what_is_switched_is_told(
    bootstrap: StandIn, capsys: Capture, group: str, name: str, verb: str, paused: bool
) -> None:
    assert main([group, verb, name, "--reason", "too much mail"]) == 0
    assert capsys.readouterr().out == f"{name}: {verb}d\n"
    assert (name, paused, "too much mail") in bootstrap.asked
    assert main([group, verb, name, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["paused"] is paused


def test_what_is_not_there_is_a_failure(bootstrap: StandIn, capsys: Capture) -> None:
    assert main(["queues", "pause", "nothing"]) == 1
    assert capsys.readouterr().err == "tournee: the ledger has no queue nothing\n"
    assert main(["schedules", "resume", "nothing"]) == 1
    assert capsys.readouterr().err == "tournee: the ledger has no schedule nothing\n"
    assert main(["schedules", "forget", "nothing"]) == 1
    assert "or a live process fires it" in capsys.readouterr().err


def test_a_schedule_that_nobody_declares_is_forgotten(bootstrap: StandIn, capsys: Capture) -> None:
    assert main(["schedules", "forget", "watch", "--reason", "gone"]) == 0
    assert capsys.readouterr().out == "watch: forgotten\n"
    assert ("watch", "gone") in bootstrap.asked
    assert main(["schedules", "forget", "watch", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"schedule": "watch", "forgotten": True}
