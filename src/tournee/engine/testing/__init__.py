"""For the tests of those who build on the engine: run what is due here and now, and look at what was enqueued.

The ledger is a real PostgreSQL, handlers run through the worker's own claim, executor and settler; only Redis and the
worker processes are left out. There is no second engine in memory that could behave differently.
"""

from __future__ import annotations

from tournee.engine.ports import RunOutcome
from tournee.engine.testing.assertions import assert_enqueued, assert_not_enqueued
from tournee.engine.testing.broker import LocalBroker
from tournee.engine.testing.clock import advance, fire
from tournee.engine.testing.drain import build_engine, drain
from tournee.engine.testing.report import DrainReport, Run

__all__ = [
    "DrainReport",
    "LocalBroker",
    "Run",
    "RunOutcome",
    "advance",
    "assert_enqueued",
    "assert_not_enqueued",
    "build_engine",
    "drain",
    "fire",
]
