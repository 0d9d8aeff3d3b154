"""The command line in this process, on the tests' own servers."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.process_logging import restored_logging
from tournee.cli.main import main


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command answered."""

    code: int
    stdout: str
    stderr: str


Tournee = Callable[..., Answer]


@pytest.fixture
def tournee(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Tournee]:
    """Run a command in this process: its words, and variables without their prefix."""
    for name in [name for name in os.environ if name.startswith("TOURNEE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TOURNEE_HOME", str(tmp_path / "home"))

    def run(*words: str, **variables: str) -> Answer:
        with monkeypatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(f"TOURNEE_{name.upper()}", value)
            code = main(words)
        printed = capsys.readouterr()
        return Answer(code, printed.out, printed.err)

    with restored_logging():
        yield run
