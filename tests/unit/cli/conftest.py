"""The command line in this process, with a bootstrap that starts nothing."""

from __future__ import annotations

import sys

import pytest

import tournee
from tests.unit.cli.stand_in import StandIn, install_stand_in


@pytest.fixture
def bootstrap(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """The stand-in, for as long as the test lasts; no variable of this machine reaches the settings."""
    for name in ("TOURNEE_HOME", "TOURNEE_ENV", "TOURNEE_DATABASE_URL", "TOURNEE_REDIS_URL", "TOURNEE_SMTP_URL"):
        monkeypatch.delenv(name, raising=False)
    # A command sets it; put back afterwards, so that each test is told anew.
    monkeypatch.setenv("TOURNEE_TOLD", "")
    # monkeypatch notes what stood there before, and puts it back.
    monkeypatch.setitem(sys.modules, "tournee.bootstrap", sys)
    stand_in = install_stand_in()
    monkeypatch.setattr(tournee, "bootstrap", stand_in, raising=False)
    return stand_in
