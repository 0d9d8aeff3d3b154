"""A bootstrap that answers fixed reports, so that the command line can be tested for what it is: words in, words out.

It keeps `tournee.cli.ports` and starts nothing; what the real bootstrap does is tested end to end elsewhere.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from types import ModuleType
from typing import cast

from tournee.cli.ports import Announce, Bootstrap, Watch
from tournee.kit.errors import SetupError
from tournee.pipeline.ports import SearchHit, SearchResult
from tournee.reports import (
    Address,
    AttemptReport,
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
    ProviderReport,
    QueueReport,
    ReconcileReport,
    ScheduleReport,
    SkippedFile,
    StatusReport,
    Verdict,
    WorkerReport,
)
from tournee.settings import Settings

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SUMMARY = ImportSummary(messages=3, newsletters=2, others=1, analysed=2, indexed=2, notified=2, seconds=1.5)
JOB = JobReport(
    id=7,
    queue="processMails",
    key="7",
    kind="analyse-newsletter",
    state="dead",
    tenant="mailbox:1",
    attempt=3,
    max_attempts=3,
    crashes=0,
    outages=0,
    dispatch=3,
    created_at=MOMENT,
    run_at=MOMENT,
    error_class="Rejected",
    error_message="not \x1b[31mJSON\u202e",
)
ATTEMPT = AttemptReport(3, "failed", None, MOMENT, MOMENT, "Rejected", "not JSON", "Traceback\n  line 1")
QUEUE = QueueReport("processMails", "high", None, False, "closed", 5, 1, 2, 3, 40, 1, 0, MOMENT, 2, 3, 0, 0)
WORKER = WorkerReport("0a", "worker-1", "here", 42, {"processMails": 8}, MOMENT, 0.2)
SCHEDULE = ScheduleReport(
    "watch", "0 4 * * *", "Europe/Berlin", "fetchEmails", "renew-watch", "latest", False, False, MOMENT
)


class StandInStack:
    """Answers fixed reports and notes what it was asked."""

    def __init__(self, asked: list[object]) -> None:
        self.asked = asked

    async def import_mails(self, order: ImportOrder, watch: Watch) -> ImportReport:
        self.asked.append(order)
        watch(Progress("staged", 1, 3))
        watch(Progress("staged", 3, 3))
        return ImportReport(
            SUMMARY, [SkippedFile(f"notes-{number}.txt\x1b", "empty") for number in range(SUMMARY.not_mail)]
        )

    async def search(self, query: str, limit: int) -> SearchResult:
        hit = SearchHit(7, "Title", "Sender", "a \ue000match\ue001", "en", MOMENT, 1.0)
        return SearchResult((hit,) if query != "nothing" else (), 1 if query != "nothing" else 0, None)

    async def list_jobs(self, which: JobFilter) -> Sequence[JobReport]:
        self.asked.append(which)
        return [JOB]

    async def list_dead(self, which: JobFilter) -> Sequence[JobReport]:
        self.asked.append(which)
        return [JOB]

    async def show_job(self, job_id: int) -> JobDetail | None:
        return JobDetail(JOB, {"newsletter_id": 7}, (ATTEMPT,)) if job_id == JOB.id else None

    async def cancel_jobs(self, which: JobFilter, order: BulkOrder) -> BulkReport:
        return self._change("cancel", which, order)

    async def redrive_dead(self, which: JobFilter, order: BulkOrder) -> BulkReport:
        return self._change("redrive", which, order)

    async def discard_dead(self, which: JobFilter, order: BulkOrder) -> BulkReport:
        return self._change("discard", which, order)

    def _change(self, action: str, which: JobFilter, order: BulkOrder) -> BulkReport:
        self.asked.extend((which, order))
        return BulkReport(action, 1, 0 if order.dry_run else 1, order.dry_run, (7,))

    async def read_status(self) -> StatusReport:
        provider = ProviderReport("smtp", "open", "refused", MOMENT)
        address = Address("console", "http://127.0.0.1:8420/")
        return StatusReport("home", True, (address,), (QUEUE,), (WORKER,), (provider,), schedules=(SCHEDULE,))

    async def switch_queue(self, name: str, order: BulkOrder, *, paused: bool) -> bool:
        self.asked.append((name, paused, order.reason))
        return name == QUEUE.queue

    async def switch_schedule(self, name: str, order: BulkOrder, *, paused: bool) -> bool:
        self.asked.append((name, paused, order.reason))
        return name == SCHEDULE.name

    async def forget_schedule(self, name: str, order: BulkOrder) -> bool:
        self.asked.append((name, order.reason))
        return name == SCHEDULE.name

    async def reconcile(self) -> Sequence[ReconcileReport]:
        return [ReconcileReport("processMails", lost=2)]


class StandIn:
    """Keeps `Bootstrap`. `failure` is raised when a stack is opened; a service runs until it is stopped."""

    def __init__(self) -> None:
        self.asked: list[object] = []
        self.closed = 0
        self.failure: BaseException | None = None
        self.findings: Sequence[Finding] = (Finding("postgresql", Verdict.OK, "18"),)

    @asynccontextmanager
    async def open_stack(self, settings: Settings, *, migrate: bool) -> AsyncIterator[StandInStack]:
        self.asked.append(("migrate", migrate))
        if self.failure is not None:
            raise self.failure
        try:
            yield StandInStack(self.asked)
        finally:
            self.closed += 1

    async def migrate(self, settings: Settings) -> MigrationReport:
        return MigrationReport(None, "0002", ("0001", "0002"))

    async def examine_setup(self, settings: Settings) -> Sequence[Finding]:
        return self.findings

    async def run_up(self, settings: Settings, *, announce: Announce, stop: asyncio.Event) -> None:
        if self.failure is not None:
            raise self.failure
        announce([Address("console", "http://127.0.0.1:8420/", "open this")])
        await stop.wait()

    run_api = run_up
    run_sandbox = run_up

    async def run_worker(
        self, settings: Settings, *, queues: Mapping[str, int], announce: Announce, stop: asyncio.Event
    ) -> None:
        self.asked.append(dict(queues))
        announce([])

    async def run_demo(
        self, settings: Settings, *, once: bool, announce: Announce, watch: Watch, stop: asyncio.Event
    ) -> ImportSummary:
        announce([Address("console", "http://127.0.0.1:8420/")])
        if not once:
            await stop.wait()
        return SUMMARY


def install_stand_in() -> StandIn:
    """Put it where `load_bootstrap` looks; the caller takes it away again."""
    stand_in = StandIn()
    checked: Bootstrap = stand_in
    sys.modules["tournee.bootstrap"] = cast("ModuleType", checked)
    return stand_in


REFUSED = SetupError("a stack serves this home already; use it, or set TOURNEE_HOME to another folder")
