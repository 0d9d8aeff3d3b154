"""A receiver of OTLP/HTTP: takes what exporters send and decodes it with OpenTelemetry's own messages."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

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


class Receiver:
    """Listens on loopback. While `held` it takes requests and does not answer; `status` is what it answers."""

    def __init__(self) -> None:
        self.spans: list[SeenSpan] = []
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

    def take(self, body: bytes) -> bytes:
        """Decode one request; answers what its sender gets."""
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
        assert self.path == "/v1/traces"
        assert self.headers["content-type"] == "application/x-protobuf"
        answer = receiver.take(body) if receiver.status == 200 else b""
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


def _read_attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}


@contextmanager
def open_receiver() -> Iterator[Receiver]:
    """A receiver for the length of a test."""
    receiver = Receiver()
    try:
        yield receiver
    finally:
        receiver.close()
