"""Traces: a newsletter's way through the queues as OpenTelemetry spans, where an endpoint is set; else nothing."""
