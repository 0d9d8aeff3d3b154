"""Whether anybody traces, by OpenTelemetry's own variables. Imports nothing of it."""

from __future__ import annotations

from collections.abc import Mapping

from tournee.kit.errors import SetupError

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


def find_endpoint(environment: Mapping[str, str]) -> str | None:
    """Where spans go; None: nobody traces. Raises `SetupError` for what is no address."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return None
    for name in ENDPOINTS:
        endpoint = environment.get(name, "").strip()
        if endpoint and not endpoint.startswith(("http://", "https://")):
            raise SetupError(f"{name}: {endpoint} is no http:// or https:// address: correct or unset it")
        if endpoint:
            return endpoint
    return None
