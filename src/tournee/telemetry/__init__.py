"""Metrics for Prometheus and traces for OpenTelemetry: what the processes tell of themselves, and of the stores.

Keeps: no job, no request and no loop ever waits for either. Refuses labels without a bound: never a tenant, an id or a
key.
"""
