"""Whether anybody traces or collects log lines, by OpenTelemetry's own variables. Imports nothing of it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from tournee.kit.errors import SetupError

FOR_ALL = "OTEL_EXPORTER_OTLP_ENDPOINT"


class Signal(StrEnum):
    """What may be sent, as the variables name it."""

    TRACES = "TRACES"
    LOGS = "LOGS"


def find_endpoint(environment: Mapping[str, str], signal: Signal = Signal.TRACES) -> str | None:
    """Where spans, or log lines, go; None: nowhere. Raises `SetupError` for what is no address."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return None
    if environment.get(f"OTEL_{signal}_EXPORTER", "").strip().lower() == "none":
        return None
    for name in (f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT", FOR_ALL):
        endpoint = environment.get(name, "").strip()
        if endpoint and not endpoint.startswith(("http://", "https://")):
            raise SetupError(f"{name}: {endpoint} is no http:// or https:// address: correct or unset it")
        if endpoint:
            return endpoint
    return None
