"""Log lines to OpenTelemetry's endpoint: the lines of the files, without their secrets, with the span they belong to.

One more place that the process's lines go to, so all of `kit.logs` holds here too: whoever logs never waits, the queue
is bounded, what is lost is counted. Redaction comes before anything leaves the thread. Refuses to hold lines for an
endpoint that is away: OpenTelemetry's exporter tries again for as long as its time-out lets it, then they are dropped,
because the files have them. Imported only where an endpoint is set.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry import trace
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExportResult
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, TraceFlags

from tournee.kit.logs.entry import Entry
from tournee.kit.logs.pipeline import Pipeline
from tournee.kit.logs.sink import Gather, NotTaken, Sink
from tournee.kit.trace import parse_traceparent
from tournee.telemetry.resource import describe_process

NAME = "otlp"
STOP_SECONDS = 3.0
GATHER = Gather(most=128, seconds=1.0)
LONGEST_RECORD = 65_536
"""So many characters of a line at most: 128 of them stay below what collectors take in one request."""
LARGEST_INT = 2**63
_ELSEWHERE = frozenset({"timestamp", "level", "event", "logger", "pid", "exception", "trace"})
"""What a record holds in places of its own, or the resource does."""
_SEVERITIES = (
    (logging.CRITICAL, SeverityNumber.FATAL),
    (logging.ERROR, SeverityNumber.ERROR),
    (logging.WARNING, SeverityNumber.WARN),
    (logging.INFO, SeverityNumber.INFO),
    (logging.DEBUG, SeverityNumber.DEBUG),
)


class LogExport:
    """One process's lines to the endpoint, from when it is made until `stop`."""

    def __init__(self, role: str, pipeline: Pipeline) -> None:
        self._resource = describe_process(role)
        self._exporter = OTLPLogExporter()
        self._over = False
        self._pipeline = pipeline
        self.sink = Sink(NAME, self._write, gather=GATHER)
        pipeline.attach(self.sink)

    async def stop(self) -> None:
        """Send what is left, for a moment. A thread that hangs is left behind: it dies with us."""
        self._pipeline.detach(self.sink)
        await asyncio.to_thread(self.sink.stop, STOP_SECONDS)
        self._over = True
        self._exporter.shutdown()  # type: ignore[no-untyped-call]

    def _write(self, entries: Sequence[Entry]) -> None:
        """Called in the sink's thread. Raises `NotTaken`."""
        if self._over:
            raise NotTaken("the end did not wait any longer")
        records = [make_record(entry, self._resource) for entry in entries]
        if self._exporter.export(records) is not LogRecordExportResult.SUCCESS:
            raise NotTaken("the endpoint did not take them")


def make_record(entry: Entry, resource: Resource) -> ReadableLogRecord:
    """One line in OpenTelemetry's words."""
    event = entry.render()
    nanoseconds = int(entry.created_at * 1e9)
    record = LogRecord(
        timestamp=nanoseconds,
        observed_timestamp=nanoseconds,
        context=_make_context(entry, event.get("trace")),
        severity_text=event["level"],
        severity_number=next((number for level, number in _SEVERITIES if entry.level >= level), SeverityNumber.TRACE),
        body=_clean(event["event"]),
        attributes=_list_attributes(entry, event),
    )
    return ReadableLogRecord(record, resource, InstrumentationScope(_clean(entry.logger)))


def _make_context(entry: Entry, named: object) -> Context:
    """The span it belongs to; where only its trace is known, that: never the span of the thread that writes."""
    if entry.span is not None:
        trace_id, span_id, flags = (int(part, 16) for part in entry.span)
    elif isinstance(named, str) and (parts := parse_traceparent(f"00-{named}-{'f' * 16}-00")) is not None:
        trace_id, span_id, flags = int(parts.trace_id, 16), 0, 0
    else:
        trace_id, span_id, flags = 0, 0, 0
    span = SpanContext(trace_id, span_id, is_remote=False, trace_flags=TraceFlags(flags))
    # A context of nothing would be taken for none at all.
    return trace.set_span_in_context(trace.NonRecordingSpan(span), Context())


def _list_attributes(entry: Entry, event: Mapping[str, Any]) -> dict[str, Any]:
    """The line's fields by their own names; those that would make it too long are left out, and counted."""
    attributes: dict[str, Any] = {}
    if entry.error is not None:
        attributes = {"exception.type": entry.error.name, "exception.stacktrace": _clean(event["exception"])}
    room, left_out = LONGEST_RECORD - len(str(attributes)), 0
    for name, value in event.items():
        if name in _ELSEWHERE:
            continue
        cleaned = _clean(value)
        room -= len(name) + len(str(cleaned))
        if room >= 0:
            attributes[_clean(name)] = cleaned
        else:
            left_out += 1
    return {**attributes, "left_out": left_out} if left_out else attributes


def _clean(value: Any) -> Any:
    """What the protocol can carry: no half of a character, no integer beyond 64 bits."""
    match value:
        case str():
            return value.encode("utf-8", "replace").decode("utf-8")
        case bool() | None | float():
            return value
        case int():
            return value if -LARGEST_INT <= value < LARGEST_INT else str(value)
        case Mapping():
            return {_clean(str(name)): _clean(item) for name, item in value.items()}
        case Sequence():
            return [_clean(item) for item in value]
        case _:
            return _clean(str(value))
