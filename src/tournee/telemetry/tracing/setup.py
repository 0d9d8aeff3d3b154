"""Opens tracing for one process: resource, exporter. Imported only where an endpoint is set.

All else is OpenTelemetry's own: `OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_TRACES_SAMPLER`, `OTEL_SERVICE_NAME` and the like
are read by its library.
"""

from __future__ import annotations

from collections.abc import Iterable

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider

from tournee.telemetry import catalogue
from tournee.telemetry.meters import Sample
from tournee.telemetry.resource import describe_process
from tournee.telemetry.tracing.export import BoundedProcessor
from tournee.telemetry.tracing.otel import EngineSpans, OtelSpans

STOP_SECONDS = 3.0


class Tracing:
    """One process's tracing, opened when made; `stop` ends it."""

    def __init__(self, role: str) -> None:
        self.processor = BoundedProcessor(OTLPSpanExporter())
        # The library's own way out would wait for a hanging endpoint for half a minute.
        provider = TracerProvider(resource=describe_process(role), shutdown_on_exit=False)
        provider.add_span_processor(self.processor)
        self.spans = OtelSpans(provider)
        self.engine_spans = EngineSpans(provider)

    async def stop(self) -> None:
        """Send what is left, for a moment."""
        await self.processor.stop(STOP_SECONDS)

    def read_samples(self) -> Iterable[Sample]:
        """What became of the spans."""
        counts = self.processor.counts
        return [
            (catalogue.SPANS_EXPORTED, (), counts.exported),
            (catalogue.SPANS_DROPPED, ("queue_full",), self.processor.dropped),
            (catalogue.SPANS_DROPPED, ("export_failed",), counts.failed),
        ]
