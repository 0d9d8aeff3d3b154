"""Who speaks: what OpenTelemetry is told of this process, the same with spans and with log lines.

Imported only where an endpoint is set.
"""

from __future__ import annotations

import os
import platform

from opentelemetry.sdk.resources import (
    SERVICE_INSTANCE_ID,
    SERVICE_NAME,
    SERVICE_VERSION,
    OTELResourceDetector,
    Resource,
)

from tournee import __version__


def describe_process(role: str) -> Resource:
    """This process in this role. What the operator names in the environment goes before ours."""
    own = Resource(
        {
            SERVICE_NAME: "tournee",
            SERVICE_VERSION: __version__,
            SERVICE_INSTANCE_ID: f"{platform.node()}:{os.getpid()}",
            "tournee.role": role,
        }
    )
    return Resource.create().merge(own).merge(OTELResourceDetector().detect())
