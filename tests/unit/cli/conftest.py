"""The command line in this process, with a bootstrap that starts nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.unit.cli.stand_in import StandIn, install_stand_in


@pytest.fixture
def bootstrap(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """The stand-in, for as long as the test lasts; no variable of this machine reaches the settings."""
    for name in ("TOURNEE_HOME", "TOURNEE_ENV", "TOURNEE_DATABASE_URL", "TOURNEE_REDIS_URL", "TOURNEE_SMTP_URL"):
        monkeypatch.delenv(name, raising=False)
    real = sys.modules.get("tournee.bootstrap")
    yield install_stand_in()
    if real is None:
        del sys.modules["tournee.bootstrap"]
    else:
        sys.modules["tournee.bootstrap"] = real
