"""Measures and traces each call to the outside, by wrapping the pipeline's ports.

Keeps: what is wrapped answers and raises exactly as before. Embedded parts are measured like outside ones: they do the
work where no provider is set up.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from tournee.pipeline.ports import (
    Analyser,
    Analysis,
    AnalysisRequest,
    Email,
    FetchedPage,
    Mailer,
    MailSource,
    OutsideUnavailable,
    Rejected,
    SearchDocument,
    SearchIndex,
    SearchResult,
    type_json,
)
from tournee.telemetry import catalogue
from tournee.telemetry.meters import Meters
from tournee.telemetry.tracing.spans import NO_SPANS, Spans


class ProviderCalls:
    """What calls are measured with; wraps the ports."""

    def __init__(self, meters: Meters, spans: Spans = NO_SPANS) -> None:
        self._seconds = meters.measure(catalogue.PROVIDER_CALL)
        self._spans = spans

    @asynccontextmanager
    async def measure(self, provider: str, call: str) -> AsyncIterator[None]:
        """Around one call."""
        began = time.perf_counter()
        outcome = "error"
        with self._spans.open_call(provider, call):
            try:
                yield
                outcome = "ok"
            except OutsideUnavailable:
                outcome = "outage"
                raise
            except Rejected:
                outcome = "rejected"
                raise
            finally:
                self._seconds.labels(provider, call, outcome).observe(time.perf_counter() - began)

    def wrap_analyser(self, analyser: Analyser) -> Analyser:
        """The same analyser, measured."""
        return _MeasuredAnalyser(self, analyser)

    def wrap_source(self, provider: str, source: MailSource) -> MailSource:
        """The same source, measured under this name."""
        return _MeasuredSource(self, provider, source)

    def wrap_index(self, provider: str, index: SearchIndex) -> SearchIndex:
        """The same index, measured under this name."""
        return _MeasuredIndex(self, provider, index)

    def wrap_mailer(self, provider: str, mailer: Mailer) -> Mailer:
        """The same mailer, measured under this name."""
        return _MeasuredMailer(self, provider, mailer)


class _MeasuredAnalyser:
    def __init__(self, calls: ProviderCalls, analyser: Analyser) -> None:
        self._calls = calls
        self._analyser = analyser
        self.name = analyser.name
        self.cache_version = analyser.cache_version
        self.provider = analyser.provider

    async def analyse(self, request: AnalysisRequest) -> Analysis:
        async with self._calls.measure(self.name, "analyse"):
            return await self._analyser.analyse(request)


class _MeasuredSource:
    def __init__(self, calls: ProviderCalls, provider: str, source: MailSource) -> None:
        self._calls = calls
        self._provider = provider
        self._source = source

    async def fetch(self, mailbox_id: int, cursor: type_json) -> FetchedPage:
        async with self._calls.measure(self._provider, "fetch"):
            return await self._source.fetch(mailbox_id, cursor)


class _MeasuredIndex:
    def __init__(self, calls: ProviderCalls, provider: str, index: SearchIndex) -> None:
        self._calls = calls
        self._provider = provider
        self._index = index

    async def put(self, documents: Sequence[SearchDocument]) -> Mapping[int, str]:
        async with self._calls.measure(self._provider, "put"):
            return await self._index.put(documents)

    async def remove(self, newsletter_ids: Sequence[int]) -> None:
        async with self._calls.measure(self._provider, "remove"):
            await self._index.remove(newsletter_ids)

    async def search(self, query: str, owner_id: int | None, limit: int = 20, offset: int = 0) -> SearchResult:
        async with self._calls.measure(self._provider, "search"):
            return await self._index.search(query, owner_id, limit, offset)


class _MeasuredMailer:
    def __init__(self, calls: ProviderCalls, provider: str, mailer: Mailer) -> None:
        self._calls = calls
        self._provider = provider
        self._mailer = mailer

    async def send(self, email: Email) -> None:
        async with self._calls.measure(self._provider, "send"):
            await self._mailer.send(email)
