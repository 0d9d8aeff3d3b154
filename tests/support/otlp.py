"""A receiver of OTLP/HTTP: takes what exporters send and decodes it with OpenTelemetry's own messages."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from tournee.kit.ports import LOOPBACK, find_free_port


@dataclass(frozen=True, slots=True)
class SeenSpan:
    """A span as it arrived; ids in hex."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    kind: int
    attributes: dict[str, Any]
    links: tuple[str, ...]
    """The ids of the spans that it points to."""
    failed: bool
    resource: dict[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class SeenLine:
    """A log line as it arrived; ids in hex, empty where there is none."""

    body: str
    severity: tuple[str, int]
    trace_id: str
    span_id: str
    scope: str
    attributes: dict[str, Any]
    seconds: float
    resource: dict[str, Any] = field(repr=False)


class Receiver:
    """Listens on loopback. While `held` it takes requests and does not answer; `status` is what it answers."""

    def __init__(self) -> None:
        self.spans: list[SeenSpan] = []
        self.lines: list[SeenLine] = []
        self.requests: list[str] = []
        """The paths that were asked."""
        self.status = 200
        self.asked = threading.Event()
        self.released = threading.Event()
        self.released.set()
        self._server = _Server((LOOPBACK, find_free_port()), _Handler)
        self._server.receiver = self
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self._server.server_address[1]}"

    def hold(self) -> None:
        """Answer nobody any more."""
        self.released.clear()

    def close(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()

    def find(self, name: str, trace_id: str | None = None) -> list[SeenSpan]:
        """Spans of this name, of one trace or of any."""
        return [span for span in list(self.spans) if span.name == name and trace_id in (None, span.trace_id)]

    def find_lines(self, body: str) -> list[SeenLine]:
        """Log lines that say this."""
        return [line for line in list(self.lines) if line.body == body]

    def take(self, path: str, body: bytes) -> bytes:
        """Decode one request; answers what its sender gets."""
        return {"/v1/traces": self._take_spans, "/v1/logs": self._take_lines}[path](body)

    def _take_lines(self, body: bytes) -> bytes:
        for resource_logs in ExportLogsServiceRequest.FromString(body).resource_logs:
            resource = _read_attributes(resource_logs.resource.attributes)
            for scope_logs in resource_logs.scope_logs:
                self.lines += [_to_line(line, scope_logs.scope.name, resource) for line in scope_logs.log_records]
        answer: bytes = ExportLogsServiceResponse().SerializeToString()
        return answer

    def _take_spans(self, body: bytes) -> bytes:
        for resource_spans in ExportTraceServiceRequest.FromString(body).resource_spans:
            resource = _read_attributes(resource_spans.resource.attributes)
            for scope_spans in resource_spans.scope_spans:
                self.spans += [_to_seen(span, resource) for span in scope_spans.spans]
        answer: bytes = ExportTraceServiceResponse().SerializeToString()
        return answer


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    receiver: Receiver


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        receiver = self.server.receiver
        receiver.asked.set()
        receiver.released.wait()
        assert self.headers["content-type"] == "application/x-protobuf"
        answer = receiver.take(self.path, body) if receiver.status == 200 else b""
        receiver.requests.append(self.path)
        try:
            self.send_response(receiver.status)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)
        except OSError:
            # Whoever waited too long has gone.
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def _to_seen(span: Any, resource: dict[str, Any]) -> SeenSpan:
    return SeenSpan(
        name=span.name,
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        kind=span.kind,
        attributes=_read_attributes(span.attributes),
        links=tuple(link.span_id.hex() for link in span.links),
        failed=span.status.code == 2,
        resource=resource,
    )


def _to_line(line: Any, scope: str, resource: dict[str, Any]) -> SeenLine:
    return SeenLine(
        body=line.body.string_value,
        severity=(line.severity_text, line.severity_number),
        trace_id=line.trace_id.hex(),
        span_id=line.span_id.hex(),
        scope=scope,
        attributes=_read_attributes(line.attributes),
        seconds=line.time_unix_nano / 1e9,
        resource=resource,
    )


def _read_attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: _read_value(pair.value) for pair in pairs}


def _read_value(value: Any) -> Any:
    match value.WhichOneof("value"):
        case None:
            return None
        case "array_value":
            return [_read_value(item) for item in value.array_value.values]
        case "kvlist_value":
            return _read_attributes(value.kvlist_value.values)
        case kind:
            return getattr(value, kind)


@contextmanager
def open_receiver() -> Iterator[Receiver]:
    """A receiver for the length of a test."""
    receiver = Receiver()
    try:
        yield receiver
    finally:
        receiver.close()
