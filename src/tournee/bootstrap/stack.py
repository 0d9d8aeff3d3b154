"""What the commands ask of an open stack (keeps `tournee.cli.ports.Stack`)."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tournee.bootstrap.desk import OperatorDesk
from tournee.bootstrap.logs import configure_logs
from tournee.bootstrap.observation import (
    to_dead_report,
    to_job_detail,
    to_job_report,
)
from tournee.bootstrap.orders import (
    matches,
    needs_look,
    report_bulk,
    to_dead_query,
    to_operator,
    to_progress,
    to_query,
    to_summary,
)
from tournee.bootstrap.schema import check_schema
from tournee.bootstrap.services import check_redis, open_services
from tournee.bootstrap.stack_file import COMMAND
from tournee.bootstrap.stores import open_stores
from tournee.bootstrap.worker import build_worker_settings
from tournee.engine.client import AttemptRow, JobQuery, JobRow, JobState
from tournee.engine.ports import LedgerContended, LedgerUnavailable
from tournee.pipeline.importing import Importer, ImportOutcome, ImportRefused, ImportRequest
from tournee.pipeline.ports import SearchResult
from tournee.pipeline.store.mailboxes import Owner
from tournee.reports import (
    BulkOrder,
    BulkReport,
    ImportOrder,
    ImportReport,
    JobDetail,
    JobFilter,
    JobReport,
    Progress,
    SkippedFile,
)
from tournee.settings import QUEUES, Settings, SetupIncomplete
from tournee.telemetry.tracing.endpoint import Signal, find_endpoint

if TYPE_CHECKING:
    from tournee.bootstrap.telemetry import Telemetry

LIVE_STATES = (JobState.PENDING, JobState.QUEUED, JobState.RUNNING)
PAGE_JOBS = 2_000
LOOK_SECONDS = 0.3
RETRIES_SECONDS = 30.0
"""How long jobs that an earlier import left waiting for their next attempt are waited for."""
EVERYTHING = 1_000_000
"""A bulk action is not bounded by what a list shows."""
LOCAL_OWNER = Owner("local", "local@localhost", "en")

Watch = Callable[[Progress], None]


@asynccontextmanager
async def open_stack(settings: Settings, *, migrate: bool) -> AsyncIterator[OpenStack]:
    """Join the running stack of the home, else start embedded servers for as long as this is open."""
    configure_logs(settings, level=logging.WARNING)
    async with join_stack(settings, migrate=migrate) as stack:
        yield stack


@asynccontextmanager
async def join_stack(settings: Settings, *, migrate: bool) -> AsyncIterator[OpenStack]:
    """Like `open_stack`, in a process that has set its logging up already."""
    async with open_stores(settings, COMMAND) as stores:
        # An empty embedded database is ours to set up, also where another command has just brought it up.
        await check_schema(stores, migrate=migrate or settings.database_url is None)
        async with (
            _open_telemetry(settings) as telemetry,
            open_services(settings, stores, maintains=False, telemetry=telemetry) as services,
        ):
            await services.engine.declare()
            yield OpenStack(services)


@asynccontextmanager
async def _open_telemetry(settings: Settings) -> AsyncIterator[Telemetry | None]:
    """A command is over too soon to be measured; what it enqueues is traced where somebody traces."""
    if all(find_endpoint(os.environ, signal) is None for signal in Signal):
        yield None
        return
    from tournee.bootstrap.telemetry import open_telemetry  # noqa: PLC0415 - nothing is paid where nobody traces

    async with open_telemetry(settings.model_copy(update={"metrics_port": None}), COMMAND) as telemetry:
        yield telemetry


class OpenStack(OperatorDesk):
    """A stack, open for as long as its context: the operator's desk, imports and jobs."""

    # --- import and search

    async def import_mails(self, order: ImportOrder, watch: Watch) -> ImportReport:
        """See the port."""
        notifies = order.notify if order.notify is not None else self._services.settings.smtp_url is None
        request = ImportRequest(Path(order.path), order.mailbox, notifies=notifies)
        outcome = await self.run_import(request, LOCAL_OWNER, watch)
        named = [SkippedFile(file.name, file.reason) for file in outcome.not_mail]
        return ImportReport(to_summary(outcome), named)

    async def run_import(self, request: ImportRequest, owner: Owner, watch: Watch) -> ImportOutcome:
        """Import for an owner; starts a worker of its own only if none is alive."""
        importer = Importer(self._engine, self._services.pool, owner)
        async with self._working() as alone:
            try:
                outcome = await importer.run(request, lambda look: watch(to_progress(look)))
            except ImportRefused as refused:
                raise SetupIncomplete(str(refused)) from refused
            if alone:
                await self._finish_earlier(watch)
            return outcome

    async def _finish_earlier(self, watch: Watch) -> None:
        """Work off what an import that was cut short has left: its mails are duplicates now, and nobody else works.

        Ends when nothing is left to do now; what waits for a time, a provider or an operator is left to later.
        """
        patient_until = time.monotonic() + RETRIES_SECONDS
        while True:
            with suppress(LedgerUnavailable, LedgerContended):
                queues = [view.ledger for view in await self._engine.read_status()]
                open_queues = [queue for queue in queues if not queue.paused and queue.breaker == "closed"]
                due = sum(queue.pending + queue.queued + queue.running for queue in open_queues)
                later = sum(queue.scheduled for queue in open_queues)
                if not due and (not later or time.monotonic() > patient_until):
                    return
                watch(Progress("left of earlier imports, jobs", due + later))
            await asyncio.sleep(LOOK_SECONDS)

    @asynccontextmanager
    async def _working(self) -> AsyncIterator[bool]:
        """Have workers: those that are alive (False), else one in this process with relay and maintenance (True)."""
        if await self._is_served():
            yield False
            return
        await check_redis(self._services)
        self._engine.settings = replace(self._engine.settings, maintains=True)
        worker = self._engine.build_worker(build_worker_settings(self._services.settings))
        try:
            await self._engine.start()
            await worker.start()
            yield True
        finally:
            await worker.stop(self._services.settings.grace_seconds)
            await self._engine.stop()

    async def _is_served(self) -> bool:
        stack = self._services.stores.stack
        if self._services.stores.embedded or (stack is not None and not stack.lasts):
            # Nobody else works here, or only for as long as another command lasts.
            return False
        # A beat seen to change is a worker that lives; a row alone may be what a killed one left.
        before = {row.id: row.beat for row in await self._engine.read_workers() if not row.stopping}
        if not before:
            return False
        await asyncio.sleep(3 * self._services.settings.heartbeat_seconds)
        alive = [row for row in await self._engine.read_workers() if before.get(row.id, row.beat) != row.beat]
        return {queue for row in alive for queue in row.queues} >= set(QUEUES)

    async def search(self, query: str, limit: int) -> SearchResult:
        """See the port."""
        return await self._services.index.search(query, None, limit)

    # --- jobs

    async def list_jobs(self, which: JobFilter) -> Sequence[JobReport]:
        """See the port."""
        found: list[JobReport] = []
        async for page in self._read_pages(which, PAGE_JOBS if needs_look(which) else which.limit):
            last = await self._last_attempts([row.id for row in page])
            reports = (to_job_report(row, last.get(row.id)) for row in page)
            found += [report for report in reports if matches(which, report)]
            if len(found) >= which.limit or not needs_look(which):
                break
        return found[: which.limit]

    async def _read_pages(self, which: JobFilter, size: int) -> AsyncIterator[Sequence[JobRow]]:
        """All rows that match as far as the ledger can tell, the latest first."""
        query = replace(to_query(which), limit=size)
        while rows := await self._engine.list_jobs(query):
            yield rows
            if len(rows) < size:
                return
            query = replace(query, below_id=rows[-1].id)

    async def show_job(self, job_id: int) -> JobDetail | None:
        """See the port."""
        found = await self._engine.show_job(job_id)
        return to_job_detail(*found) if found else None

    async def list_dead(self, which: JobFilter) -> Sequence[JobReport]:
        """See the port."""
        letters = await self._engine.list_dead(to_dead_query(which, which.limit))
        ids = [letter.job_id for letter in letters]
        rows = {row.id: row for row in await self._engine.list_jobs(JobQuery(ids=ids, limit=max(len(ids), 1)))}
        reports = [to_dead_report(letter, rows.get(letter.job_id)) for letter in letters]
        return [report for report in reports if report is not None]

    async def cancel_jobs(self, which: JobFilter, order: BulkOrder) -> BulkReport:
        """See the port."""
        chosen = [state for state in LIVE_STATES if not which.states or state in which.states]
        ids: list[int] = []
        if chosen:
            async for page in self._read_pages(replace(which, states=chosen), PAGE_JOBS):
                ids += [row.id for row in page if which.key in (None, row.key)]
        if order.dry_run or not ids:
            return report_bulk("cancel", ids, [], dry_run=order.dry_run)
        return report_bulk(
            "cancel", ids, list(await self._engine.cancel(ids, to_operator(order, which))), dry_run=False
        )

    async def redrive_dead(self, which: JobFilter, order: BulkOrder) -> BulkReport:
        """See the port."""
        ids = await self._find_dead(which)
        if order.dry_run or not ids:
            return report_bulk("redrive", ids, [], dry_run=order.dry_run)
        changed = await self._engine.redrive(ids, to_operator(order, which))
        return report_bulk("redrive", ids, [job.job_id for job in changed], dry_run=False)

    async def discard_dead(self, which: JobFilter, order: BulkOrder) -> BulkReport:
        """See the port."""
        ids = await self._find_dead(which)
        if order.dry_run or not ids:
            return report_bulk("discard", ids, [], dry_run=order.dry_run)
        return report_bulk("discard", ids, await self._engine.discard(ids, to_operator(order, which)), dry_run=False)

    # --- inside

    async def _last_attempts(self, job_ids: Sequence[int]) -> dict[int, AttemptRow]:
        return {attempt.job_id: attempt for attempt in await self._engine.list_attempts(job_ids)}

    async def _find_dead(self, which: JobFilter) -> list[int]:
        return [letter.job_id for letter in await self._engine.list_dead(to_dead_query(which, EVERYTHING))]
