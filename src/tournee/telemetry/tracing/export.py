"""Sends spans away in the background: bounded, and what is lost is counted.

Keeps: ending a span appends to a queue in memory and nothing more, whatever the endpoint does; a full queue drops the
new span. Stopping waits for a hanging endpoint no longer than it is told to.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

MAX_QUEUE = 2048
DELAY_MILLISECONDS = 1000.0


class CountingExporter(SpanExporter):
    """Passes spans on, and counts what was taken and what was not."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self.taken = 0
        """Handed over, whatever became of them."""
        self.exported = 0
        self.failed = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """See `SpanExporter`; called in the processor's thread."""
        self.taken += len(spans)
        try:
            result = self._exporter.export(spans)
        except BaseException:
            self.failed += len(spans)
            raise
        if result is SpanExportResult.SUCCESS:
            self.exported += len(spans)
        else:
            self.failed += len(spans)
        return result

    def shutdown(self) -> None:
        """See `SpanExporter`."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """See `SpanExporter`."""
        return self._exporter.force_flush(timeout_millis)


class BoundedProcessor(BatchSpanProcessor):
    """Queues ended spans for the exporter; what does not fit is dropped and counted."""

    def __init__(self, exporter: SpanExporter, max_queue: int = MAX_QUEUE) -> None:
        self.counts = CountingExporter(exporter)
        self.dropped = 0
        self._accepted = 0
        self._max_queue = max_queue
        super().__init__(self.counts, max_queue, DELAY_MILLISECONDS, min(512, max_queue))

    def on_end(self, span: ReadableSpan) -> None:
        """See `SpanProcessor`."""
        if span.context is None or not span.context.trace_flags.sampled:
            return
        if self._accepted - self.counts.taken >= self._max_queue:
            self.dropped += 1
            return
        self._accepted += 1
        super().on_end(span)

    async def stop(self, timeout_seconds: float) -> None:
        """Send what is queued, for no longer than that. The thread that hangs is left behind: it dies with us."""
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def shut_down() -> None:
            self.shutdown()  # type: ignore[no-untyped-call]
            if not loop.is_closed():
                loop.call_soon_threadsafe(done.set)

        threading.Thread(target=shut_down, name="spans", daemon=True).start()
        try:
            async with asyncio.timeout(timeout_seconds):
                await done.wait()
        except TimeoutError:
            self.counts.shutdown()
