"""The pipeline on real servers, with an outside world that a test can steer.

Only the ports are played here, each by a small class that keeps what it was given; engine, ledger and dispatcher are
the real ones.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from tournee.db.pool import Pool
from tournee.engine.client import Engine, Observer, Registry, RetryPolicy, Worker, WorkerSettings
from tournee.integrations.imports.source import ImportSource
from tournee.pipeline.core.mail.reading import read_mail
from tournee.pipeline.importing import Importer
from tournee.pipeline.ports import (
    Analysis,
    AnalysisRequest,
    Email,
    ReadMail,
    SearchDocument,
    SearchResult,
)
from tournee.pipeline.stages.registration import StagePorts, register_stages
from tournee.pipeline.store.mailboxes import Owner

ADMINISTRATORS = ("admin@example.org", "deputy@example.org")
OWNER = Owner("local", "reader@example.org", "fr")
QUICK = RetryPolicy(base=timedelta(milliseconds=20), factor=1.0, jitter=0.0)
QUEUES = ("fetchEmails", "processMails", "indexNews", "sendNotifications")


class ThreadReader:
    """A ContentReader without processes: the messages of these tests are small and harmless."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    async def read(self, raw: bytes) -> ReadMail:
        self.entered.set()
        await self.gate.wait()
        return await asyncio.to_thread(read_mail, raw)

    async def close(self) -> None:
        """Nothing is open."""


@dataclass
class ScriptedAnalyser:
    """An Analyser that a test holds up (`gate`) or makes fail (`fault`)."""

    name: str = "scripted"
    cache_version: str = "1"
    provider: str | None = None
    fault: Callable[[AnalysisRequest], BaseException | None] = lambda request: None
    requests: list[AnalysisRequest] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    async def analyse(self, request: AnalysisRequest) -> Analysis:
        self.requests.append(request)
        await self.gate.wait()
        if error := self.fault(request):
            raise error
        return Analysis(
            title=request.subject,
            summary=f"On {request.subject}",
            summary_language="en",
            language="en",
            topics=("news",),
            entities=(),
            key_links=(),
            reading_minutes=1,
            kind="newsletter",
        )


@dataclass
class KeptIndex:
    """A SearchIndex that keeps documents in memory and refuses those whose title is in `refused`."""

    documents: dict[int, SearchDocument] = field(default_factory=dict)
    calls: list[int] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)

    async def put(self, documents: Sequence[SearchDocument]) -> Mapping[int, str]:
        self.calls.append(len(documents))
        bad = {document.newsletter_id: "refused" for document in documents if document.title in self.refused}
        self.documents |= {doc.newsletter_id: doc for doc in documents if doc.newsletter_id not in bad}
        return bad

    async def remove(self, newsletter_ids: Sequence[int]) -> None:
        for newsletter_id in newsletter_ids:
            self.documents.pop(newsletter_id, None)

    async def search(self, query: str, owner_id: int | None, limit: int = 20, offset: int = 0) -> SearchResult:
        raise AssertionError("no stage searches")


@dataclass
class KeptMailer:
    """A Mailer that keeps what it sent; `fault` may refuse one."""

    sent: list[Email] = field(default_factory=list)
    fault: Callable[[Email], BaseException | None] = lambda email: None

    async def send(self, email: Email) -> None:
        if error := self.fault(email):
            raise error
        self.sent.append(email)


@dataclass
class Pipeline:
    """One process of it. `start` lets the workers run; before that, jobs only wait."""

    pool: Pool
    engine: Engine
    reader: ThreadReader
    analyser: ScriptedAnalyser
    outside: ScriptedAnalyser
    index: KeptIndex
    mailer: KeptMailer
    worker: Worker | None = None

    @property
    def importer(self) -> Importer:
        return Importer(self.engine, self.pool, OWNER)

    async def start(self, queues: Sequence[str] = QUEUES, concurrency: int = 8) -> None:
        await self.engine.start()
        self.worker = self.engine.build_worker(WorkerSettings(dict.fromkeys(queues, concurrency)))
        await self.worker.start()

    async def stop(self) -> None:
        if self.worker is not None:
            await self.worker.stop(grace_seconds=1)
        await self.engine.stop()

    async def wait_until(self, condition: Callable[[], Awaitable[bool]], timeout_seconds: float = 60) -> None:
        """Look until it holds. The ledger tells nobody, so looking is how one waits on it."""
        deadline = time.monotonic() + timeout_seconds
        while not await condition():
            assert time.monotonic() < deadline, "it did not come about in time"
            await asyncio.sleep(0.02)

    async def count(self, sql: str, *arguments: Any) -> int:
        found: int = await self.pool.fetchval(sql, *arguments)
        return found

    async def fetch_row(self, sql: str) -> Any:
        row = await self.pool.fetchrow(sql)
        assert row is not None
        return row

    async def count_live_jobs(self) -> int:
        sql = "SELECT count(*) FROM engine.jobs WHERE state NOT IN ('completed', 'dead', 'cancelled')"
        return await self.count(sql)


def build_pipeline(
    pool: Pool,
    broker: Any,
    observers: Sequence[Observer] = (),
    wrap: Callable[[StagePorts], StagePorts] = lambda ports: ports,
) -> Pipeline:
    """Wire it as bootstrap does; `wrap` is what bootstrap wraps the ports in."""
    registry = Registry()
    engine = Engine(pool, broker, registry, observers=observers)
    built = Pipeline(
        pool=pool,
        engine=engine,
        reader=ThreadReader(),
        analyser=ScriptedAnalyser(),
        outside=ScriptedAnalyser(name="outside"),
        index=KeptIndex(),
        mailer=KeptMailer(),
    )
    register_stages(
        registry,
        wrap(
            StagePorts(
                pool=pool,
                sources={"import": ImportSource(pool)},
                reader=built.reader,
                outside=built.outside,
                embedded=built.analyser,
                index=built.index,
                mailer=built.mailer,
                administrators=ADMINISTRATORS,
                host="tournee.example",
                retries=dict.fromkeys(QUEUES, QUICK),
            )
        ),
    )
    return built


def write_newsletter(subject: str, body: str = "", name: str = "Daily") -> bytes:
    """The bytes of a mail that is plainly a newsletter; `body` decides its content hash."""
    text = body or f"All about {subject}. " * 10
    return (
        f"From: {name} <news@{name.lower()}.example>\r\n"
        f"To: reader@example.org\r\n"
        f"Subject: {subject}\r\n"
        f"Date: Thu, 01 Jan 2026 08:00:00 +0000\r\n"
        f"Message-ID: <{subject.replace(' ', '-')}@example.org>\r\n"
        f"List-Id: {name} <list.{name.lower()}.example>\r\n"
        f"List-Unsubscribe: <https://{name.lower()}.example/unsubscribe>\r\n"
        f"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
        f"Precedence: bulk\r\n"
        f"Content-Type: text/html; charset=utf-8\r\n\r\n"
        f"<html><body><h1>{subject}</h1><p>{text}</p>"
        f'<p><a href="https://{name.lower()}.example/read">View in browser</a></p>'
        f'<p><a href="https://{name.lower()}.example/unsubscribe">Unsubscribe from this newsletter</a></p>'
        f"</body></html>\r\n"
    ).encode()


def write_letter(subject: str) -> bytes:
    """The bytes of a mail between two people."""
    return (
        f"From: Ann <ann@example.org>\r\nTo: Ben <ben@example.org>\r\nSubject: {subject}\r\n"
        f"In-Reply-To: <x@example.org>\r\n\r\nHello Ben, see you tomorrow. {subject}\r\n"
    ).encode()
