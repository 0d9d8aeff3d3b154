"""What the commands ask of `tournee.bootstrap`, and nothing more.

Owns the two protocols that bootstrap keeps: the module itself, and an open stack. Keeps: the command line knows no
engine, no database, no Redis. All of these raise `SetupError` (exit code 3, the message says what to do) when
something is missing on this machine, and clean up when they are cancelled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Protocol

from tournee.reports import (
    Address,
    BulkOrder,
    BulkReport,
    Finding,
    ImportOrder,
    ImportReport,
    ImportSummary,
    JobDetail,
    JobFilter,
    JobReport,
    MigrationReport,
    Progress,
    ReconcileReport,
    StatusReport,
)

if TYPE_CHECKING:
    import asyncio

    from tournee.pipeline.ports import SearchResult
    from tournee.settings import Settings

Watch = Callable[[Progress], None]
"""Called as a work goes on, as often as it likes; returns at once."""

Announce = Callable[[Sequence[Address]], None]
"""Called once, when everything listens, with all addresses."""


class Stack(Protocol):
    """An open way to the ledger and to Redis: the running stack of the home, else embedded servers of our own."""

    async def import_mails(self, order: ImportOrder, watch: Watch) -> ImportReport:
        """Stage all mails, start workers if none is alive, and wait until all that was enqueued is terminal."""
        ...

    async def search(self, query: str, limit: int) -> SearchResult:
        """What a reader would find."""
        ...

    async def list_jobs(self, which: JobFilter) -> Sequence[JobReport]:
        """The latest first, at most `which.limit`."""
        ...

    async def list_dead(self, which: JobFilter) -> Sequence[JobReport]:
        """Dead letters, the latest death first, at most `which.limit`; `states` of the filter is ignored."""
        ...

    async def show_job(self, job_id: int) -> JobDetail | None:
        """One job with its failed attempts; None if the ledger has no such row."""
        ...

    async def cancel_jobs(self, which: JobFilter, order: BulkOrder) -> BulkReport:
        """Cancel what is not terminal; `which.limit` does not bound it."""
        ...

    async def redrive_dead(self, which: JobFilter, order: BulkOrder) -> BulkReport:
        """Dead jobs back to `pending`, under their own ids; `which.limit` does not bound it."""
        ...

    async def discard_dead(self, which: JobFilter, order: BulkOrder) -> BulkReport:
        """Dead jobs to `cancelled`; `which.limit` does not bound it."""
        ...

    async def read_status(self) -> StatusReport:
        """Everything at one moment; answers without Redis' figures while Redis is away."""
        ...

    async def switch_queue(self, name: str, order: BulkOrder, *, paused: bool) -> bool:
        """Pause or resume a queue; audited. False: no such queue."""
        ...

    async def switch_schedule(self, name: str, order: BulkOrder, *, paused: bool) -> bool:
        """Pause or resume a schedule; audited. False: no such schedule."""
        ...

    async def forget_schedule(self, name: str, order: BulkOrder) -> bool:
        """Remove a schedule that no live process declares; audited. False: no such schedule, or it is served."""
        ...

    async def reconcile(self) -> Sequence[ReconcileReport]:
        """Compare ledger and Redis in every queue now, and mend."""
        ...


class Bootstrap(Protocol):
    """The module `tournee.bootstrap`."""

    def open_stack(self, settings: Settings, *, migrate: bool) -> AbstractAsyncContextManager[Stack]:
        """Join the running stack of the home, else start embedded servers for as long as this is open.

        `migrate`: an empty database is migrated; otherwise one that is not up to date is refused.
        """
        ...

    async def migrate(self, settings: Settings) -> MigrationReport:
        """Bring the schema up to date."""
        ...

    async def examine_setup(self, settings: Settings) -> Sequence[Finding]:
        """Look at everything that running needs; changes nothing and never raises for what it finds."""
        ...

    async def run_up(self, settings: Settings, *, announce: Announce, stop: asyncio.Event) -> None:
        """Everything, supervised, until `stop` is set. Raises `SetupError` if a stack serves this home already."""
        ...

    async def run_api(self, settings: Settings, *, announce: Announce, stop: asyncio.Event) -> None:
        """API, console and hooks only, until `stop` is set."""
        ...

    async def run_worker(
        self, settings: Settings, *, queues: Mapping[str, int], announce: Announce, stop: asyncio.Event
    ) -> None:
        """Workers for these queues with this concurrency, and relay and maintenance, until `stop` is set."""
        ...

    async def run_sandbox(self, settings: Settings, *, announce: Announce, stop: asyncio.Event) -> None:
        """Only the simulators, until `stop` is set."""
        ...

    async def run_demo(
        self, settings: Settings, *, once: bool, announce: Announce, watch: Watch, stop: asyncio.Event
    ) -> ImportSummary:
        """Stack, sandbox and sample mailbox. `once`: returns when all is processed, else when `stop` is set."""
        ...


def load_bootstrap() -> Bootstrap:
    """Import what wires everything together: about a second, so only when a command needs it."""
    from tournee import bootstrap

    return bootstrap
