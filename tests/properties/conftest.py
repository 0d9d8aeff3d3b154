"""One world for all runs, and how many runs there are.

`TOURNEE_EXAMPLES=2000` looks deeper, at random; without it a bounded number of runs is the same each time.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Callable, Iterator

import pytest
import structlog
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.properties.clock import FastLoop
from tests.properties.machine import EngineMachine, bind_machine
from tests.properties.world import World
from tests.support.servers import SessionServers

REGULAR_EXAMPLES = 30
STEPS = 45

RunMachine = Callable[[settings], None]


def find_profile() -> settings:
    """The bounded profile, or the deep one that `TOURNEE_EXAMPLES` asks for."""
    asked = os.environ.get("TOURNEE_EXAMPLES")
    return settings(
        max_examples=int(asked) if asked else REGULAR_EXAMPLES,
        stateful_step_count=2 * STEPS if asked else STEPS,
        derandomize=asked is None,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
        print_blob=True,
    )


@pytest.fixture
def loop() -> Iterator[FastLoop]:
    """The world's own loop, with the fast clock."""
    loop = FastLoop()
    yield loop
    loop.run_until_complete(_end_what_is_left())
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


async def _end_what_is_left() -> None:
    """Transports close in later turns of the loop, and a task that is pending when the loop closes would be told of."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture
def silence() -> Iterator[None]:
    """Thousands of faults on purpose would bury the steps that matter under the engine's warnings."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.configure(**before)


@pytest.fixture
def machine(
    request: pytest.FixtureRequest, servers: SessionServers, loop: FastLoop, silence: None
) -> Iterator[type[EngineMachine]]:
    """The state machine on a database and a Valkey of its own."""
    database_url = servers.create_database()
    world = World(loop, database_url, servers.empty_redis())
    loop.run_until_complete(world.open())
    yield bind_machine(world, loop)
    loop.run_until_complete(world.close())
    servers.drop_database(database_url)
    if os.environ.get("TOURNEE_EXAMPLES"):
        with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
            sys.stdout.write("\n" + "".join(f"{line}\n" for line in world.tally.to_lines()))


@pytest.fixture
def run_machine(machine: type[EngineMachine]) -> RunMachine:
    """Runs it under some settings; raises with the steps that led to what must not be."""

    def run(chosen: settings) -> None:
        run_state_machine_as_test(machine, settings=chosen)

    return run
