"""What a process that does not serve pays for metrics and traces: nothing of ours. (The Redis client looks for the
metrics of OpenTelemetry by itself.)
"""

from __future__ import annotations

import subprocess
import sys

LOOK = """
import sys
import tournee.bootstrap
for name in tournee.bootstrap.__all__:
    getattr(tournee.bootstrap, name)
heavy = ("prometheus_client", "opentelemetry.sdk.trace", "opentelemetry.exporter", "requests", "google.protobuf")
print([name for name in heavy if name in sys.modules])
"""


def test_commands_import_neither_prometheus_nor_the_tracing_library() -> None:
    done = subprocess.run([sys.executable, "-c", LOOK], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
