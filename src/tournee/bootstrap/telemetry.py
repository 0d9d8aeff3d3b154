"""Wires metrics, traces and the export of log lines into one process: what is measured, where it is read, what is sent.

Keeps: nothing of Prometheus or OpenTelemetry is imported by a process that does not open this, and nothing of
OpenTelemetry where no endpoint is set. Metrics are told to whoever has the token, and to nobody else.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from tournee.alerts import Alerts
from tournee.db.pool import Pool
from tournee.engine.client import Engine, Observer
from tournee.kit.errors import SetupError
from tournee.kit.logs.pipeline import PIPELINE
from tournee.kit.trace import BeginTrace, begin_untraced
from tournee.pipeline.stages.registration import StagePorts
from tournee.settings import Settings
from tournee.telemetry.engine_meter import EngineMeter
from tournee.telemetry.exposition import Exposition, MetricsServer
from tournee.telemetry.http import RequestMeter, RequestMeterMiddleware
from tournee.telemetry.meters import Meters
from tournee.telemetry.process import LoopLag, read_load, read_pool
from tournee.telemetry.provider_calls import ProviderCalls
from tournee.telemetry.system import SystemReader
from tournee.telemetry.telling import ALERTS, tell_of_alerts, tell_of_logs
from tournee.telemetry.tracing.endpoint import Signal, find_endpoint
from tournee.telemetry.tracing.spans import NO_SPANS, Spans

if TYPE_CHECKING:
    from tournee.telemetry.log_export import LogExport
    from tournee.telemetry.tracing.setup import Tracing

log = structlog.get_logger(__name__)

TOKEN_NAME = "metrics.token"  # noqa: S105 - the name of a file


class Application(Protocol):
    """A Starlette or FastAPI application."""

    def add_middleware(self, middleware_class: Any, *args: Any, **kwargs: Any) -> None: ...


@dataclass(frozen=True, slots=True)
class Telemetry:
    """One process's metrics and traces."""

    meters: Meters
    exposition: Exposition
    calls: ProviderCalls
    spans: Spans
    begin_trace: BeginTrace
    token: str = field(repr=False)
    tracing: Tracing | None
    mailer_name: str
    index_name: str = "embedded"

    def observe_engine(self, knows: Callable[[str], bool]) -> list[Observer]:
        """Those whom this process's engine is to tell; `knows` tells which kinds of jobs it has handlers for."""
        meter = EngineMeter(self.meters, knows)
        return [meter, self.tracing.engine_spans] if self.tracing is not None else [meter]

    def wrap_ports(self, ports: StagePorts) -> StagePorts:
        """The same ports, measured and traced."""
        return replace(
            ports,
            sources={name: self.calls.wrap_source(name, source) for name, source in ports.sources.items()},
            outside=self.calls.wrap_analyser(ports.outside) if ports.outside is not None else None,
            embedded=self.calls.wrap_analyser(ports.embedded),
            index=self.calls.wrap_index(self.index_name, ports.index),
            mailer=self.calls.wrap_mailer(self.mailer_name, ports.mailer),
            begin_trace=self.begin_trace,
        )

    def watch(self, pool: Pool, engine: Engine) -> None:
        """Tell of this process's connections and of its worker's load."""
        self.meters.add_source(lambda: read_pool(pool))
        self.meters.add_source(lambda: read_load(engine))

    def watch_alerts(self, alerts: Alerts) -> None:
        """Tell of what this process's alerts did."""
        self.meters.add_source(tell_of_alerts(alerts.snapshot), *ALERTS)

    def watch_requests(self, app: Application) -> None:
        """Count and trace the requests of this process's one web application. Call it last: it is the outermost."""
        app.add_middleware(RequestMeterMiddleware, meter=RequestMeter(self.meters, self.spans))

    @asynccontextmanager
    async def tell_of_system(self, engine: Engine, pool: Pool) -> AsyncIterator[None]:
        """This process tells of the whole system as well; one process does."""
        reader = SystemReader(engine, pool)
        self.exposition.look = reader.look
        self.meters.add_source(reader.read_samples)
        try:
            yield
        finally:
            await reader.stop()


@asynccontextmanager
async def open_telemetry(settings: Settings, role: str) -> AsyncIterator[Telemetry]:
    """Metrics, on a port of their own if one is set; traces and log lines if an endpoint is. Raises `SetupError`."""
    async with AsyncExitStack() as stack:
        meters = Meters()
        log_export = _open_log_export(role)
        if log_export is not None:
            stack.push_async_callback(log_export.stop)
        tracing = _open_tracing(role)
        if tracing is not None:
            stack.push_async_callback(tracing.stop)
            stack.enter_context(_locate_lines(tracing))
            meters.add_source(tracing.read_samples)
        meters.add_source(tell_of_logs(PIPELINE.count))
        lag = LoopLag(meters)
        lag.start()
        stack.push_async_callback(lag.stop)
        spans = tracing.spans if tracing is not None else NO_SPANS
        telemetry = Telemetry(
            meters=meters,
            exposition=Exposition(meters),
            calls=ProviderCalls(meters, spans),
            spans=spans,
            begin_trace=tracing.spans.begin_trace if tracing is not None else begin_untraced,
            token=read_token(settings),
            tracing=tracing,
            mailer_name="smtp" if settings.smtp_url is not None else "outbox",
        )
        if settings.metrics_port is not None:
            server = _serve(telemetry, settings.metrics_host, settings.metrics_port)
            stack.push_async_callback(server.stop)
        yield telemetry


def _open_tracing(role: str) -> Tracing | None:
    if find_endpoint(os.environ) is None:
        return None
    from tournee.telemetry.tracing.setup import Tracing  # noqa: PLC0415 - nothing is paid where nobody traces

    return Tracing(role)


def _open_log_export(role: str) -> LogExport | None:
    if find_endpoint(os.environ, Signal.LOGS) is None:
        return None
    from tournee.telemetry.log_export import LogExport  # noqa: PLC0415 - as above

    return LogExport(role, PIPELINE)


@contextmanager
def _locate_lines(tracing: Tracing) -> Iterator[None]:
    """Each log line knows the span it belongs to, for as long as this is open."""
    PIPELINE.locate = tracing.spans.locate
    try:
        yield
    finally:
        PIPELINE.locate = None


def _serve(telemetry: Telemetry, host: str, port: int) -> MetricsServer:
    try:
        return MetricsServer(telemetry.exposition, telemetry.token, host, port)
    except OSError as error:
        raise SetupError(
            f"metrics can't be served at {host}:{port} ({error}): set another TOURNEE_METRICS_PORT"
        ) from error


def read_token(settings: Settings) -> str:
    """The token that opens metrics: the setting, else one that the home keeps, so that it outlasts a restart."""
    if settings.metrics_token is not None:
        return settings.metrics_token.get_secret_value()
    path = settings.home / "run" / TOKEN_NAME
    try:
        return _keep_token(path)
    except OSError as error:
        # Nobody knows it then: on the port nothing opens, in the API the console's token does.
        log.warning("no token for metrics is kept; set TOURNEE_METRICS_TOKEN", path=str(path), error=str(error))
        return secrets.token_urlsafe(32)


def _keep_token(path: Path) -> str:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f".{TOKEN_NAME}.{secrets.token_hex(8)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as handle:
        handle.write(secrets.token_urlsafe(32))
    try:
        # Processes that start together agree on one: the first link stands, and it is never half written.
        path.hardlink_to(fresh)
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
    return path.read_text(encoding="ascii").strip()
