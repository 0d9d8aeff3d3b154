"""Random interleavings of all actors, with lost answers, killed processes and a Redis that forgets."""

from __future__ import annotations

import os

import pytest

from tests.properties.conftest import RunMachine, find_profile


@pytest.mark.timeout(0 if os.environ.get("TOURNEE_EXAMPLES") else 400)
def test_every_job_goes_only_where_the_model_lets_it_and_ends(run_machine: RunMachine) -> None:
    run_machine(find_profile())
