"""The pool of processes on a machine that may be busy with other tests."""

from __future__ import annotations

import pytest

from tournee.integrations.local import cpu_pool


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work gets its share of the processor however long that takes: for tests of work that takes too much of it."""
    monkeypatch.setattr(cpu_pool, "_TIME_SHARE", 200)
