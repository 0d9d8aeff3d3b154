"""Takes one guard out of the real engine, in this process and for as long as a block lasts.

Refuses to break what is not there: a guard that was reworded in the engine fails the test that names it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest.mock import patch

from tests.support.invariants.scenario import Scenario
from tournee.engine.postgres.session import SQL

Break = Callable[[Scenario], AbstractContextManager[Any]]
"""What is entered before the broken half of a trial begins."""


def without(query: str, guard: str, instead: str = "") -> Break:
    """The SQL text of `query` without `guard`, which must stand in it exactly once."""

    @contextmanager
    def broken(_: Scenario) -> Iterator[None]:
        # The comment on top names the guard too.
        said = [line for line in SQL[query].splitlines() if not line.startswith("--")]
        text = "\n".join(said)
        assert text.count(guard) == 1, f"{query}.sql does not say {guard!r} once"
        with patch.dict(SQL._texts, {query: text.replace(guard, instead)}):
            yield

    return broken


def reworded(query: str, text: str) -> Break:
    """Another text for `query`."""

    def broken(_: Scenario) -> AbstractContextManager[Any]:
        assert query in SQL
        return patch.dict(SQL._texts, {query: text})

    return broken


def replaced(owner: object, name: str, instead: Any) -> Break:
    """Another function in the place of one of the engine's."""
    return lambda _: patch.object(owner, name, instead)
