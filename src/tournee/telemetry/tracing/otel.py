"""The spans themselves: what the engine, the web and the calls outside become in OpenTelemetry.

Owns the tie between a job's trace context in the ledger and its spans: the enqueue's span is what the ledger keeps, so
every run's span has it for its parent, on whatever machine. Keeps: one trace for a newsletter, from the reading of
its message on. Imported only where an endpoint is set.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace

from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from tournee.engine.client import Enqueued, Observer, QueueName, RunOutcome
from tournee.engine.core.job import ClaimedJob, Dispatchable, Failure, NewJob
from tournee.kit.trace import TraceParts, parse_traceparent, trace_id_of
from tournee.telemetry.tracing.spans import RequestSpan, Spans
from tournee.telemetry.tracing.words import DISPATCH, ENQUEUE, PROCESS, describe_message, name_span

_runs: ContextVar[Mapping[str, Span]] = ContextVar("runs", default={})  # noqa: B039 - it is never changed in place
"""The runs of this task, by trace: a batch has many."""


class OtelSpans(Spans):
    """Spans of requests, of calls to the outside, and of traces that begin."""

    def __init__(self, provider: TracerProvider) -> None:
        self.tracer = provider.get_tracer("tournee")

    @contextmanager
    def open_request(self, method: str, traceparent: str | None) -> Iterator[RequestSpan]:
        parent = _to_context(traceparent)
        with self.tracer.start_as_current_span(
            method, parent, SpanKind.SERVER, {"http.request.method": method}
        ) as span:
            yield _OtelRequest(method, span)

    @contextmanager
    def open_call(self, provider: str, call: str) -> Iterator[None]:
        own = trace.get_current_span().get_span_context()
        # A call that a batch makes serves all its jobs; it stands in the first one's trace and points to the others.
        links = [Link(run.get_span_context()) for run in _runs.get().values() if run.get_span_context() != own]
        attributes = {"peer.service": provider, "tournee.call": call}
        with self.tracer.start_as_current_span(
            f"{call} {provider}", None, SpanKind.CLIENT, attributes, links, record_exception=False
        ) as span:
            try:
                yield
            except BaseException as error:
                span.set_attribute("error.type", type(error).__name__)
                raise

    @contextmanager
    def begin_trace(self, queue: str) -> Iterator[str]:
        """The trace of one message begins, within a run that handles many; yields its traceparent."""
        run = trace.get_current_span().get_span_context()
        with self.tracer.start_as_current_span(
            name_span(PROCESS, queue),
            Context(),
            SpanKind.CONSUMER,
            describe_message(PROCESS, queue, "message"),
            [Link(run)] if run.is_valid else [],
            record_exception=False,
        ) as span:
            yield _to_traceparent(span)

    def locate(self, trace_id: str | None) -> TraceParts | None:
        """The span that the calling task is in; of a batch the run in the trace that is named. For log lines."""
        own = trace.get_current_span().get_span_context()
        if trace_id is not None and trace_id != format(own.trace_id, "032x"):
            run = _runs.get().get(trace_id)
            if run is None:
                return None
            own = run.get_span_context()
        return parse_traceparent(_name_context(own))


class _OtelRequest(RequestSpan):
    def __init__(self, method: str, span: Span) -> None:
        self._method = method
        self._span = span

    def end_request(self, route: str, status: int) -> None:
        self._span.update_name(f"{self._method} {route}")
        self._span.set_attribute("http.route", route)
        self._span.set_attribute("http.response.status_code", status)
        if status >= 500:
            self._span.set_status(Status(StatusCode.ERROR))


class EngineSpans(Observer):
    """Spans of enqueue, dispatch and run."""

    def __init__(self, provider: TracerProvider) -> None:
        self._tracer = provider.get_tracer("tournee.engine")
        self._enqueuing: dict[str, Span] = {}
        self._running: dict[tuple[int, int], Span] = {}

    def stamp_jobs(self, jobs: Sequence[NewJob]) -> Sequence[NewJob]:
        return [self._stamp(job) for job in jobs]

    def _stamp(self, job: NewJob) -> NewJob:
        attributes = describe_message(ENQUEUE, job.queue, job.kind)
        parent = _find_parent(job.trace_context)
        span = self._tracer.start_span(name_span(ENQUEUE, job.queue), parent, SpanKind.PRODUCER, attributes)
        traceparent = _to_traceparent(span)
        self._enqueuing[traceparent] = span
        return replace(job, trace_context=traceparent)

    def note_inserted(self, jobs: Sequence[NewJob], answers: Sequence[Enqueued]) -> None:
        for place, job in enumerate(jobs):
            span = self._enqueuing.pop(job.trace_context or "", None)
            if span is None:
                continue
            if place < len(answers):
                span.set_attribute("messaging.message.id", str(answers[place].job_id))
                span.set_attribute("tournee.job.created", answers[place].created)
            else:
                span.set_status(Status(StatusCode.ERROR))
            span.end()

    def note_dispatched(self, jobs: Sequence[Dispatchable], seconds: float) -> None:
        ended = time.time_ns()
        began = ended - int(seconds * 1e9)
        for job in jobs:
            self._tracer.start_span(
                name_span(DISPATCH, job.queue),
                _to_context(job.trace_context),
                SpanKind.CLIENT,
                describe_message(DISPATCH, job.queue, job.kind, job.id.job_id),
                start_time=began,
            ).end(ended)

    def note_started(self, jobs: Sequence[ClaimedJob]) -> None:
        runs = {}
        for job in jobs:
            span = self._start_run(job, len(jobs))
            self._running[job.id.job_id, job.lease] = span
            runs[format(span.get_span_context().trace_id, "032x")] = span
        first = next(iter(runs.values()), None)
        if first is not None:
            # The task is the run's own and ends with it, so nothing has to be put back.
            context.attach(trace.set_span_in_context(first))
            _runs.set(runs)

    def _start_run(self, job: ClaimedJob, batch: int) -> Span:
        attributes = describe_message(PROCESS, job.queue, job.kind, job.id.job_id)
        attributes["tournee.job.attempt"] = job.attempt_number
        if batch > 1:
            attributes["messaging.batch.message_count"] = batch
        parent = _to_context(job.trace_context)
        return self._tracer.start_span(name_span(PROCESS, job.queue), parent, SpanKind.CONSUMER, attributes)

    def note_settled(self, job: ClaimedJob, outcome: RunOutcome, seconds: float, failure: Failure | None) -> None:
        span = self._running.pop((job.id.job_id, job.lease), None)
        if span is None:
            return
        span.set_attribute("tournee.job.outcome", outcome.value)
        if failure is not None:
            span.set_attribute("error.type", failure.error_class)
            span.set_status(Status(StatusCode.ERROR))
        span.end()

    def note_enqueued(self, counts: Mapping[tuple[QueueName, str], int]) -> None:
        """Each job has its span already."""


def _find_parent(given: str | None) -> Context:
    """The run in this task whose trace the job goes on with; else what the caller named; else what is being done."""
    if given is None:
        return context.get_current()
    run = _runs.get().get(trace_id_of(given) or "")
    return trace.set_span_in_context(run) if run is not None else _to_context(given)


def _to_context(traceparent: str | None) -> Context:
    parts = parse_traceparent(traceparent)
    if parts is None:
        return Context()
    parent = SpanContext(int(parts.trace_id, 16), int(parts.span_id, 16), True, TraceFlags(int(parts.flags, 16)))
    return trace.set_span_in_context(trace.NonRecordingSpan(parent), Context())


def _to_traceparent(span: Span) -> str:
    return _name_context(span.get_span_context())


def _name_context(own: SpanContext) -> str:
    return f"00-{own.trace_id:032x}-{own.span_id:016x}-{own.trace_flags:02x}"
