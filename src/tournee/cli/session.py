"""Opens the stack for commands that ask it one thing.

Owns the path from settings to an open stack and back. Keeps: whatever happens, the stack is closed before the command
ends, so that embedded servers started for its duration end with it; no variable is misspelt in silence.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from tournee.cli.output import print_fields, print_json, tell
from tournee.cli.ports import Announce, Stack, load_bootstrap
from tournee.cli.runner import run
from tournee.reports import Address
from tournee.settings import Settings, find_unknown_variables, load_settings

T = TypeVar("T")

TOLD = "TOURNEE_TOLD"
"""Set once the variables that nothing reads were told of."""


def read_settings() -> Settings:
    """The settings of this command, and a line for each variable that nothing reads: with a misspelt
    TOURNEE_DATABASE_URL a command would silently work on the embedded database. Raises `SettingsError`.
    """
    settings = load_settings()
    if not os.environ.get(TOLD):
        for line in find_unknown_variables(os.environ):
            tell(f"tournee: {line}")
        # The processes that this one starts inherit it, and do not say the same again.
        os.environ[TOLD] = "yes"
    return settings


def ask_stack(
    question: Callable[[Stack], Awaitable[T]], *, settings: Settings | None = None, migrate: bool = False
) -> T:
    """Open the stack of this home, ask it, close it, and answer what it answered."""
    chosen = settings or read_settings()
    bootstrap = load_bootstrap()

    async def ask() -> T:
        async with bootstrap.open_stack(chosen, migrate=migrate) as stack:
            return await question(stack)

    return run(ask)


def announce_on_stdout(*, as_json: bool) -> Announce:
    """Print all addresses as the result of a command that serves."""

    def announce(addresses: Sequence[Address]) -> None:
        if as_json:
            print_json({"addresses": addresses})
        else:
            print_fields({address.name: describe_address(address) for address in addresses})

    return announce


def announce_on_stderr(addresses: Sequence[Address]) -> None:
    """Tell all addresses beside a result that is still to come."""
    for address in addresses:
        tell(f"{address.name:<12} {describe_address(address)}")


def describe_address(address: Address) -> str:
    """The address, with its note."""
    return f"{address.url}  ({address.note})" if address.note else address.url
