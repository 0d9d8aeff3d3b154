"""What the console and the JSON API read: newsletters, messages, jobs, dead letters, workers, providers.

Owns the console's SQL, so that the web rooms have none. It only reads, never locks, and every list is bounded by the
caller's `limit`. A PostgreSQL that is away raises one of `tournee.db.pool.UNAVAILABLE`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from itertools import groupby
from typing import Any

from tournee.db.pool import Pool
from tournee.db.queries import load_queries
from tournee.pipeline.core.shared_links import resolve_key_links
from tournee.pipeline.store.analyses import read_key_links
from tournee.pipeline.store.console_job_rows import Attempt, Audit, DeadLine, JobDetail, JobLine, Provider, Worker
from tournee.pipeline.store.console_rows import (
    Delivery,
    Mailbox,
    MessageDetail,
    MessageLine,
    NewsletterLine,
    Totals,
    Trace,
)
from tournee.pipeline.store.console_waiting import Limits, Waiting
from tournee.pipeline.store.newsletters import read_links

_QUERIES = load_queries("tournee.pipeline.store")


class ConsoleStore:
    """The console's read functions over one pool; each takes one connection for as long as its statement runs."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def ping(self) -> None:
        """Return when PostgreSQL answered."""
        await self._pool.fetchval(_QUERIES["console_ping"])

    async def list_newsletters(
        self,
        state: str | None = None,
        mailbox_id: int | None = None,
        text: str | None = None,
        before_id: int | None = None,
        limit: int = 20,
        ids: Sequence[int] | None = None,
    ) -> list[NewsletterLine]:
        """Newsletters, the latest first; `before_id` goes on where a page ended, `ids` asks for these alone."""
        rows = await self._pool.fetch(
            _QUERIES["console_list_newsletters"], state, mailbox_id, text, before_id, limit, ids
        )
        return [NewsletterLine(**row) for row in rows]

    async def list_flow(self, limit: int = 20) -> list[NewsletterLine]:
        """The newsletters that moved last, the latest move first."""
        ids = await self._list_latest_ids(limit)
        lines = await self.list_newsletters(limit=len(ids), ids=ids)
        return sorted(lines, key=lambda line: (line.moved_at, line.id), reverse=True)[:limit]

    async def list_messages(
        self,
        message_class: str | None = None,
        text: str | None = None,
        before_id: int | None = None,
        limit: int = 50,
    ) -> list[MessageLine]:
        """Messages of every class, the latest first."""
        rows = await self._pool.fetch(_QUERIES["console_list_messages"], message_class, text, before_id, limit)
        return [MessageLine(**row) for row in rows]

    async def show_message(self, message_id: int) -> MessageDetail | None:
        """One message with its newsletter and analysis; None if there is no such message."""
        row = await self._pool.fetchrow(_QUERIES["console_show_message"], message_id)
        return _make_detail(dict(row)) if row else None

    async def read_html(self, newsletter_id: int) -> str | None:
        """A newsletter's sanitised HTML; None if there is no such newsletter."""
        html: str | None = await self._pool.fetchval(_QUERIES["console_read_html"], newsletter_id)
        return html

    async def show_trace(self, message_id: int) -> Trace | None:
        """A message with every job it went through and its deliveries; None if there is no such message."""
        message = await self.show_message(message_id)
        if message is None:
            return None
        jobs = await self._show_jobs(await self._list_trace_jobs(message_id))
        return Trace(message, jobs, await self._list_deliveries(message_id))

    async def list_jobs(
        self,
        queue: str | None = None,
        state: str | None = None,
        key: str | None = None,
        before_id: int | None = None,
        limit: int = 50,
    ) -> list[JobLine]:
        """Ledger rows, the latest first; `key` is matched whole."""
        rows = await self._pool.fetch(_QUERIES["console_list_jobs"], queue, state, key, before_id, limit)
        return [JobLine(**row) for row in rows]

    async def show_job(self, job_id: int) -> JobDetail | None:
        """One ledger row with its attempts and what operators did to it; None if there is none."""
        jobs = await self._show_jobs([job_id])
        if not jobs:
            return None
        return replace(jobs[0], audits=await self._list_audits(job_id))

    async def explain_waiting(self, job_id: int) -> Waiting | None:
        """What one job may wait for; None if it is neither pending nor queued."""
        row = await self._pool.fetchrow(_QUERIES["console_explain_waiting"], job_id)
        return Waiting(**row) if row else None

    async def list_limits(self) -> list[Limits]:
        """The limits of each queue that has any."""
        return [Limits(**row) for row in await self._pool.fetch(_QUERIES["console_list_limits"])]

    async def list_dead(
        self,
        queue: str | None = None,
        before: tuple[datetime, int] | None = None,
        limit: int = 50,
    ) -> list[DeadLine]:
        """Dead letters, the latest first; `before` is (died_at, id) of the last one of the page before."""
        died_at, job_id = before or (None, None)
        rows = await self._pool.fetch(_QUERIES["console_list_dead"], queue, died_at, job_id, limit)
        return [DeadLine(**row) for row in rows]

    async def list_workers(self) -> list[Worker]:
        return [Worker(**row) for row in await self._pool.fetch(_QUERIES["console_list_workers"])]

    async def list_providers(self) -> list[Provider]:
        return [Provider(**row) for row in await self._pool.fetch(_QUERIES["console_list_providers"])]

    async def list_mailboxes(self) -> list[Mailbox]:
        return [Mailbox(**row) for row in await self._pool.fetch(_QUERIES["console_list_mailboxes"])]

    async def read_totals(self) -> Totals:
        """Counts over everything stored. Reads whole tables: not for every second and every visitor."""
        row = await self._pool.fetchrow(_QUERIES["console_read_totals"])
        assert row is not None
        return Totals(**row)

    async def _list_deliveries(self, newsletter_id: int) -> list[Delivery]:
        rows = await self._pool.fetch(_QUERIES["console_list_deliveries"], newsletter_id)
        return [Delivery(**row) for row in rows]

    async def _list_latest_ids(self, limit: int) -> list[int]:
        return [row["id"] for row in await self._pool.fetch(_QUERIES["console_list_latest_ids"], limit)]

    async def _list_trace_jobs(self, message_id: int) -> list[int]:
        return [row["id"] for row in await self._pool.fetch(_QUERIES["console_list_trace_jobs"], message_id)]

    async def _list_audits(self, job_id: int) -> list[Audit]:
        return [Audit(**row) for row in await self._pool.fetch(_QUERIES["console_list_audits"], job_id)]

    async def _list_attempts(self, job_ids: Sequence[int]) -> dict[int, list[Attempt]]:
        """By job, oldest first."""
        rows = await self._pool.fetch(_QUERIES["console_list_attempts"], job_ids)
        grouped = groupby((Attempt(**row) for row in rows), key=lambda attempt: attempt.job_id)
        return {job_id: list(attempts) for job_id, attempts in grouped}

    async def _show_jobs(self, ids: Sequence[int]) -> list[JobDetail]:
        rows = await self._pool.fetch(_QUERIES["console_show_jobs"], ids)
        attempts = await self._list_attempts(ids)
        return [JobDetail(**row, attempts=attempts.get(row["id"], ())) for row in rows]


def _make_detail(row: dict[str, Any]) -> MessageDetail:
    """The analysis is shared by all readers of the issue: its links are shown as this copy of the issue has them."""
    own_links = row.pop("own_links")
    if row["key_links"]:
        links = resolve_key_links(read_key_links(row["key_links"]), read_links(own_links))
        row["key_links"] = [{"url": link.url, "why": link.why} for link in links]
    return MessageDetail(**row)
