"""Opens the stack for commands that ask it one thing.

Owns the path from settings to an open stack and back. Keeps: whatever happens, the stack is closed before the command
ends, so that embedded servers started for its duration end with it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from tournee.cli.output import print_fields, print_json, tell
from tournee.cli.ports import Announce, Stack, load_bootstrap
from tournee.cli.runner import run
from tournee.reports import Address
from tournee.settings import Settings, load_settings

T = TypeVar("T")


def ask_stack(
    question: Callable[[Stack], Awaitable[T]], *, settings: Settings | None = None, migrate: bool = False
) -> T:
    """Open the stack of this home, ask it, close it, and answer what it answered."""
    chosen = settings or load_settings()
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
