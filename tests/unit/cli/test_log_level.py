"""`tournee log-level`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tournee.cli.main import main
from tournee.kit.logs.level import LEVEL_FILE, read_level

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TOURNEE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def _ask(capsys: Capture, *words: str) -> dict[str, object]:
    assert main(["log-level", *words, "--json"]) == 0
    told: dict[str, object] = json.loads(capsys.readouterr().out)
    return told


def test_the_level_is_asked_for_shown_and_given_back(home: Path, capsys: Capture) -> None:
    assert _ask(capsys) == {"level": "info", "until": None}
    assert _ask(capsys, "debug") == {"level": "debug", "until": None}
    assert _ask(capsys)["level"] == "debug"
    assert isinstance(_ask(capsys, "error", "--minutes", "5")["until"], float)
    assert _ask(capsys, "default") == {"level": "info", "until": None}
    assert read_level(home / LEVEL_FILE) is None


@pytest.mark.parametrize(
    "words", [["loud"], ["--minutes", "5"], ["default", "--minutes", "5"], ["debug", "--minutes", "0"]]
)
def test_a_wish_that_makes_no_sense_is_wrong_usage(home: Path, words: list[str], capsys: Capture) -> None:
    assert main(["log-level", *words]) == 2
    assert not home.exists()
    assert capsys.readouterr().out == ""


def test_a_home_that_can_not_be_written_is_told(home: Path, capsys: Capture) -> None:
    home.touch()
    assert main(["log-level", "debug"]) == 3
    assert "can't be written" in capsys.readouterr().err
