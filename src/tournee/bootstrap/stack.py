"""What the commands ask of an open stack (keeps `tournee.cli.ports.Stack`)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from tournee.bootstrap.observation import (
    to_dead_report,
    to_job_detail,
    to_job_report,
    to_mailbox_report,
    to_provider_report,
    to_queue_report,
    to_worker_report,
)
from tournee.bootstrap.services import Services, check_schema, open_services
from tournee.bootstrap.stores import open_stores
from tournee.engine.client import (
    AttemptRow,
    BrokerUnavailable,
    DeadQuery,
    JobQuery,
    JobRow,
    JobState,
    Operator,
    QueueName,
    WorkerSettings,
)
from tournee.pipeline.importing import Importer, ImportOutcome, ImportProgress, ImportRefused, ImportRequest
from tournee.pipeline.ports import SearchResult
from tournee.pipeline.store.console import ConsoleStore
from tournee.pipeline.store.mailboxes import Owner
from tournee.reports import (
    Address,
    BulkOrder,
    BulkReport,
    CostReport,
    ImportOrder,
    ImportSummary,
    JobDetail,
    JobFilter,
    JobReport,
    Progress,
    ReconcileReport,
    StatusReport,
)
from tournee.settings import Settings, SetupIncomplete

LIVE_STATES = (JobState.PENDING, JobState.QUEUED, JobState.RUNNING)
EVERYTHING = 1_000_000
"""A bulk action is not bounded by what a list shows."""
NAMED_JOBS = 1_000
LOCAL_OWNER = Owner("local", "local@localhost", "en")

Watch = Callable[[Progress], None]


@asynccontextmanager
async def open_stack(settings: Settings, *, migrate: bool) -> AsyncIterator[OpenStack]:
    """Join the running stack of the home, else start embedded servers for as long as this is open."""
    async with open_stores(settings, "command") as stores:
        # An embedded database that this command brought up is ours to set up.
        own = stores.stack is None and settings.database_url is None
        await check_schema(stores, migrate=migrate or own)
        async with open_services(settings, stores, maintains=False) as services:
            await services.engine.declare()
            yield OpenStack(services)


class OpenStack:
    """A stack, open for as long as its context."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._engine = services.engine

    # --- import and search

    async def import_mails(self, order: ImportOrder, watch: Watch) -> ImportSummary:
        """See the port."""
        notifies = order.notify if order.notify is not None else self._services.settings.smtp_url is None
        request = ImportRequest(Path(order.path), order.mailbox, notifies=notifies)
        outcome = await self.run_import(request, LOCAL_OWNER, watch)
        return ImportSummary(**outcome.summary.as_object())  # type: ignore[arg-type]

    async def run_import(self, request: ImportRequest, owner: Owner, watch: Watch) -> ImportOutcome:
        """Import for an owner; starts a worker of its own only if none is alive."""
        importer = Importer(self._engine, self._services.pool, owner)
        async with self._working():
            try:
                return await importer.run(request, lambda look: watch(_to_progress(look)))
            except ImportRefused as refused:
                raise SetupIncomplete(str(refused)) from refused

    @asynccontextmanager
    async def _working(self) -> AsyncIterator[None]:
        """Have workers: those that are alive, else one in this process, with relay and maintenance."""
        if await self._is_served():
            yield
            return
        engine = replace_maintenance(self._services)
        await engine.start()
        worker = engine.build_worker(worker_settings(self._services.settings))
        await worker.start()
        try:
            yield
        finally:
            await worker.stop(self._services.settings.grace_seconds)
            await engine.stop()

    async def _is_served(self) -> bool:
        # A beat seen to change is a worker that lives; a row alone may be what a killed one left.
        before = {row.id: row.beat for row in await self._engine.read_workers() if not row.stopping}
        if not before:
            return False
        await asyncio.sleep(3 * self._services.settings.heartbeat_seconds)
        return any(before.get(row.id, row.beat) != row.beat for row in await self._engine.read_workers())

    async def search(self, query: str, limit: int) -> SearchResult:
        """See the port."""
        return await self._services.index.search(query, None, limit)

    # --- jobs

    async def list_jobs(self, which: JobFilter) -> Sequence[JobReport]:
        """See the port."""
        rows = await self._engine.list_jobs(_to_query(which))
        last = await self._last_attempts([row.id for row in rows])
        reports = [to_job_report(row, last.get(row.id)) for row in rows]
        if which.error is None:
            return reports
        return [report for report in reports if _mentions(report, which.error)]

    async def show_job(self, job_id: int) -> JobDetail | None:
        """See the port."""
        found = await self._engine.show_job(job_id)
        return to_job_detail(*found) if found else None

    async def list_dead(self, which: JobFilter) -> Sequence[JobReport]:
        """See the port."""
        letters = await self._engine.list_dead(_to_dead_query(which, which.limit))
        ids = [letter.job_id for letter in letters]
        rows = {row.id: row for row in await self._engine.list_jobs(JobQuery(ids=ids, limit=max(len(ids), 1)))}
        reports = [to_dead_report(letter, rows.get(letter.job_id)) for letter in letters]
        return [report for report in reports if report is not None]

    async def cancel_jobs(self, which: JobFilter, order: BulkOrder) -> BulkReport:
        """See the port."""
        states = [JobState(state) for state in which.states] or list(LIVE_STATES)
        chosen = [state for state in states if state in LIVE_STATES]
        rows: Sequence[JobRow] = []
        if chosen:
            query = replace(_to_query(which), states=chosen, limit=EVERYTHING)
            rows = await self._engine.list_jobs(query)
        ids = [row.id for row in rows]
        if order.dry_run or not ids:
            return _report("cancel", ids, [], dry_run=order.dry_run)
        return _report("cancel", ids, list(await self._engine.cancel(ids, _to_operator(order, which))), dry_run=False)

    async def redrive_dead(self, which: JobFilter, order: BulkOrder) -> BulkReport:
        """See the port."""
        ids = await self._find_dead(which)
        if order.dry_run or not ids:
            return _report("redrive", ids, [], dry_run=order.dry_run)
        changed = await self._engine.redrive(ids, _to_operator(order, which))
        return _report("redrive", ids, [job.job_id for job in changed], dry_run=False)

    async def discard_dead(self, which: JobFilter, order: BulkOrder) -> BulkReport:
        """See the port."""
        ids = await self._find_dead(which)
        if order.dry_run or not ids:
            return _report("discard", ids, [], dry_run=order.dry_run)
        return _report("discard", ids, await self._engine.discard(ids, _to_operator(order, which)), dry_run=False)

    # --- status

    async def read_status(self) -> StatusReport:
        """See the port."""
        console = ConsoleStore(self._services.pool)
        totals = await console.read_totals()
        stack = self._services.stores.stack
        return StatusReport(
            home=str(self._services.settings.home),
            running=stack is not None and stack.role != "command",
            addresses=[Address(name, url) for name, url in stack.addresses.items()] if stack else [],
            queues=[to_queue_report(view) for view in await self._engine.read_status()],
            workers=[to_worker_report(row) for row in await self._engine.read_workers()],
            providers=[to_provider_report(row) for row in await self._engine.read_providers()],
            mailboxes=[to_mailbox_report(row) for row in await console.list_mailboxes()],
            cost=CostReport(
                analyses=totals.analyses,
                tokens_in=totals.tokens_in,
                tokens_out=totals.tokens_out,
                cost_microcents=totals.cost_microcents,
            ),
            redis_memory_bytes=await self._read_memory(),
        )

    async def reconcile(self) -> Sequence[ReconcileReport]:
        """See the port."""
        return [
            ReconcileReport(
                queue=found.queue,
                epoch_mended=found.epoch_renewed,
                lost=found.returned,
                orphans=found.discarded,
            )
            for found in await self._engine.reconcile()
        ]

    # --- inside

    async def _last_attempts(self, job_ids: Sequence[int]) -> dict[int, AttemptRow]:
        return {attempt.job_id: attempt for attempt in await self._engine.list_attempts(job_ids)}

    async def _find_dead(self, which: JobFilter) -> list[int]:
        return [letter.job_id for letter in await self._engine.list_dead(_to_dead_query(which, EVERYTHING))]

    async def _read_memory(self) -> int | None:
        try:
            return await self._services.broker.memory_bytes()
        except BrokerUnavailable:
            return None


def replace_maintenance(services: Services) -> Any:
    """The process's engine, taking part in maintenance: for a command that works alone."""
    services.engine.settings = replace(services.engine.settings, maintains=True)
    return services.engine


def worker_settings(settings: Settings) -> WorkerSettings:
    """All queues with their configured concurrency."""
    return WorkerSettings(
        concurrency=dict(settings.concurrency),
        heartbeat_seconds=settings.heartbeat_seconds,
        grace_seconds=settings.grace_seconds,
    )


def _to_progress(look: ImportProgress) -> Progress:
    return Progress(look.phase.value, look.done, look.total)


def _to_query(which: JobFilter) -> JobQuery:
    return JobQuery(
        queue=QueueName(which.queue) if which.queue else None,
        states=[JobState(state) for state in which.states] or None,
        kind=which.kind,
        key=which.key,
        tenant=which.tenant,
        created_after=which.after,
        created_before=which.before,
        ids=list(which.ids) or None,
        limit=which.limit,
    )


def _to_dead_query(which: JobFilter, limit: int) -> DeadQuery:
    return DeadQuery(
        queue=QueueName(which.queue) if which.queue else None,
        kind=which.kind,
        key=which.key,
        tenant=which.tenant,
        error=which.error,
        died_after=which.after,
        died_before=which.before,
        ids=list(which.ids) or None,
        limit=limit,
    )


def _to_operator(order: BulkOrder, which: JobFilter) -> Operator:
    chosen = {
        name: str(value)
        for name in ("ids", "queue", "states", "kind", "key", "tenant", "error", "before", "after")
        if (value := getattr(which, name))
    }
    return Operator(order.actor, order.reason, chosen)


def _report(action: str, matched: Sequence[int], changed: Sequence[int], *, dry_run: bool) -> BulkReport:
    return BulkReport(action, len(matched), len(changed), dry_run, list(matched if dry_run else changed)[:NAMED_JOBS])


def _mentions(report: JobReport, text: str) -> bool:
    return text.lower() in f"{report.error_class or ''} {report.error_message or ''}".lower()
