"""What the web rooms need of the rest, as protocols, and `WebServices`, in which bootstrap hands it all over.

Nothing here does I/O. A failing ledger raises one of `UNAVAILABLE`; a failing broker raises `BrokerUnavailable`,
which is one of them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from fastapi import APIRouter

from tournee.db import pool
from tournee.engine.client import (
    BrokerDepth,
    BrokerUnavailable,
    DeadJob,
    JobId,
    JobState,
    LedgerContended,
    LedgerUnavailable,
    Operator,
    QueueName,
    QueueOverview,
    ScheduleRow,
)
from tournee.pipeline.ports import SearchIndex
from tournee.pipeline.store.console_job_rows import DeadLine, JobDetail, JobLine, Provider, Worker
from tournee.pipeline.store.console_rows import Mailbox, MessageLine, NewsletterLine, Totals, Trace
from tournee.pipeline.store.console_waiting import Limits, Waiting

UNAVAILABLE: tuple[type[Exception], ...] = (
    *pool.UNAVAILABLE,
    *pool.CONTENDED,
    LedgerUnavailable,
    LedgerContended,
    BrokerUnavailable,
)
"""What means that PostgreSQL or Redis isn't there, or not now; pages say so and never answer 500 for it."""

DEAD_LETTERS = QueueName("deadLetters")


class DepthReader(Protocol):
    """The part of the dispatcher that is looked at; kept by the engine's broker."""

    async def read_depth(self, queue: QueueName) -> BrokerDepth:
        """How one queue stands in Redis. Raises `BrokerUnavailable`."""
        ...


class ScheduleReader(Protocol):
    """The part of the schedules that is looked at; kept by the engine's."""

    async def list_rows(self) -> Sequence[ScheduleRow]: ...


class EngineDoor(Protocol):
    """The engine's public face, as far as the web needs it; kept by `tournee.engine.client.Engine`."""

    @property
    def broker(self) -> DepthReader: ...

    @property
    def schedules(self) -> ScheduleReader: ...

    async def read_status(self) -> Sequence[QueueOverview]:
        """Every queue, ledger and Redis side by side; called once a second, so it stays cheap at any size."""
        ...

    async def redrive(self, job_ids: Sequence[int], who: Operator) -> Sequence[DeadJob]:
        """Dead jobs become pending again under the same id; answers those that were dead."""
        ...

    async def discard(self, job_ids: Sequence[int], who: Operator) -> Sequence[JobId]:
        """Dead jobs become cancelled; answers those that were dead."""
        ...

    async def cancel(self, job_ids: Sequence[int], who: Operator) -> Mapping[JobId, JobState]:
        """Live jobs are cancelled, a running one is asked to stop; answers the state each has now."""
        ...

    async def pause(self, queue: str, who: Operator) -> bool:
        """False: there is no such queue."""
        ...

    async def resume(self, queue: str, who: Operator) -> bool: ...


class ConsoleReads(Protocol):
    """What is shown; kept by `tournee.pipeline.store.console.ConsoleStore`."""

    async def ping(self) -> None: ...

    async def list_newsletters(
        self,
        state: str | None = None,
        mailbox_id: int | None = None,
        text: str | None = None,
        before_id: int | None = None,
        limit: int = 20,
    ) -> list[NewsletterLine]: ...

    async def list_flow(self, limit: int = 20) -> list[NewsletterLine]: ...

    async def list_messages(
        self,
        message_class: str | None = None,
        text: str | None = None,
        before_id: int | None = None,
        limit: int = 50,
    ) -> list[MessageLine]: ...

    async def show_trace(self, message_id: int) -> Trace | None: ...

    async def read_html(self, newsletter_id: int) -> str | None: ...

    async def list_jobs(
        self,
        queue: str | None = None,
        state: str | None = None,
        key: str | None = None,
        before_id: int | None = None,
        limit: int = 50,
    ) -> list[JobLine]: ...

    async def show_job(self, job_id: int) -> JobDetail | None: ...

    async def explain_waiting(self, job_id: int) -> Waiting | None: ...

    async def list_limits(self) -> list[Limits]: ...

    async def list_dead(
        self, queue: str | None = None, before: tuple[datetime, int] | None = None, limit: int = 50
    ) -> list[DeadLine]: ...

    async def list_workers(self) -> list[Worker]: ...

    async def list_providers(self) -> list[Provider]: ...

    async def list_mailboxes(self) -> list[Mailbox]: ...

    async def read_totals(self) -> Totals: ...


class BoardPhase(StrEnum):
    """What the sidecar is doing."""

    OFF = "off"
    INSTALLING = "installing"
    STARTING = "starting"
    READY = "ready"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class BoardState:
    """Where Bull Board is; `base_url` and `secret` are set when it is ready, `reason` when it can't be had."""

    phase: BoardPhase
    base_url: str = ""
    secret: str = field(default="", repr=False)
    reason: str = ""


class BoardDoor(Protocol):
    """Kept by `tournee.web.board_process.BoardProcess`."""

    def read_state(self) -> BoardState: ...


class MetricsDoor(Protocol):
    """Kept by `tournee.telemetry.exposition.Exposition`."""

    async def render(self, accept: str) -> tuple[bytes, str]:
        """The metrics and their content type. Waits a bounded time for stores; never raises for an outage."""
        ...


class BoardOff:
    """No board is wanted in this process."""

    def read_state(self) -> BoardState:
        return BoardState(BoardPhase.OFF)


@dataclass(frozen=True)
class WebServices:
    """All that the web application is made of. `access_token` is a secret of at least 128 random bits."""

    engine: EngineDoor
    console: ConsoleReads
    search: SearchIndex
    access_token: str = field(repr=False)
    ports: Sequence[int]
    """The ports that a `Host` header may name: the one listened on, and those mapped to it."""
    board: BoardDoor = field(default_factory=BoardOff)
    kill_redis: Callable[[], Awaitable[None]] | None = None
    """The demo only: FLUSHALL and a restart. Where it is None neither button nor route exists."""
    hooks: APIRouter | None = None
    """What the outside calls (Gmail push): mounted under /hooks, guarded by its own signatures alone."""
    metrics: MetricsDoor | None = None
    metrics_token: str | None = field(default=None, repr=False)
    """Opens /metrics and nothing else; the console's token opens it as well."""
    language: str | None = None
    """`en` or `fr` for everybody; None: the reader's own."""
    version: str = "0.1.0"
    queue_order: Sequence[str] = ("fetchEmails", "processMails", "indexNews", "sendNotifications")
    read_timeout_seconds: float = 3.0
    act_timeout_seconds: float = 10.0
    """For what changes something; below the 15 s after which a page stops waiting for an answer."""
    snapshot_interval_seconds: float = 1.0
    max_streams: int = 64
