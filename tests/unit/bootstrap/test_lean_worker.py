"""A worker that is brought back after its death loads what it works with, and no web."""

from __future__ import annotations

import subprocess
import sys

import tournee.bootstrap

LOOK = """
import sys
import tournee.bootstrap
tournee.bootstrap.run_worker
import tournee.bootstrap.telemetry
print([name for name in ("fastapi", "jinja2", "uvicorn", "tournee.web", "tournee.cli") if name in sys.modules])
"""


def test_a_worker_imports_nothing_of_the_web() -> None:
    done = subprocess.run([sys.executable, "-c", LOOK], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_bootstrap_does_not_have_is_no_attribute() -> None:
    assert not hasattr(tournee.bootstrap, "run_nothing")
    assert all(callable(getattr(tournee.bootstrap, name)) for name in tournee.bootstrap.__all__)
