"""Monitoring and alerts: errors are counted in memory, and the operator is told at Discord or by e-mail.

Owns the way from "something failed" to "somebody knows". Invariant: neither PostgreSQL nor Redis is needed on that
way, nothing on it is awaited by whoever records, and everything on it is bounded; what is dropped is counted.

    alerts.monitor.record_provider_failure("mistral", error)     # a worker
    app.add_middleware(AlertMiddleware, monitor=alerts.monitor)  # an ASGI application
"""

from __future__ import annotations

from tournee.alerts.conditions import CONDITIONS, Condition, Ends, Severity
from tournee.alerts.middleware import AlertMiddleware
from tournee.alerts.monitor import Monitor
from tournee.alerts.service import Alerts
from tournee.alerts.settings import AlertSettings

__all__ = ["CONDITIONS", "AlertMiddleware", "AlertSettings", "Alerts", "Condition", "Ends", "Monitor", "Severity"]
