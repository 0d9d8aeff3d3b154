"""Every metric that there is: its name, its kind, its labels, and what it says.

Owns the names; nothing else makes one up, and the table in docs/how-to/monitoring.md is compared with this. Keeps
Prometheus' conventions: the prefix, base units, `_total` on counters, labels whose values are few and known.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

WAITS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
RUNS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
LAGS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
ATTEMPTS = (1.0, 2.0, 3.0, 5.0, 10.0)


class Kind(StrEnum):
    """Prometheus' types, as far as they are used."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Scope(StrEnum):
    """Who tells it: every process of itself, or the API alone for all."""

    PROCESS = "each process"
    SYSTEM = "the API"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric, by the name under which it is queried; a histogram's has no suffix."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str
    scope: Scope = Scope.PROCESS
    buckets: tuple[float, ...] = ()


def _counter(name: str, labels: str, text: str, scope: Scope = Scope.PROCESS) -> Metric:
    return Metric(name, Kind.COUNTER, tuple(labels.split()), text, scope)


def _gauge(name: str, labels: str, text: str, scope: Scope = Scope.PROCESS) -> Metric:
    return Metric(name, Kind.GAUGE, tuple(labels.split()), text, scope)


def _histogram(name: str, labels: str, text: str, buckets: tuple[float, ...]) -> Metric:
    return Metric(name, Kind.HISTOGRAM, tuple(labels.split()), text, Scope.PROCESS, buckets)


# --- what the engine did in this process

JOBS_ENQUEUED = _counter("tournee_jobs_enqueued_total", "queue kind", "Jobs created by committed transactions.")
JOBS_DISPATCHED = _counter("tournee_jobs_dispatched_total", "queue", "Jobs that the relay added to Redis.")
JOBS_STARTED = _counter("tournee_jobs_started_total", "queue kind", "Runs of handlers that began.")
JOB_RUNS = _counter(
    "tournee_job_runs_total",
    "queue kind outcome",
    "Runs that ended: completed, retried, dead, parked, snoozed, released, cancelled, lost or unknown.",
)
JOBS_DEAD = _counter(
    "tournee_jobs_dead_total", "queue kind", "Jobs that became dead letters, after failures or crashes."
)
JOBS_RESCUED = _counter("tournee_jobs_rescued_total", "", "Jobs taken back from dead workers or past their deadline.")
JOB_WAIT = _histogram("tournee_job_wait_seconds", "queue kind", "From when a job was due until it started.", WAITS)
JOB_RUN = _histogram("tournee_job_run_seconds", "queue kind", "How long a handler ran.", RUNS)
JOB_ATTEMPTS = _histogram("tournee_job_attempts", "queue kind", "Attempts a job took until it was over.", ATTEMPTS)
DISPATCH_LATENCY = _histogram(
    "tournee_dispatch_latency_seconds", "queue", "From when a job was due until the relay dispatched it.", WAITS
)
REDIS_ADD = _histogram("tournee_redis_add_seconds", "", "How long the relay's adds to Redis took.", RUNS)

# --- the process itself

LOOP_LAG = _histogram("tournee_event_loop_lag_seconds", "", "How late the event loop woke, twice a second.", LAGS)
POOL_CONNECTIONS = _gauge("tournee_pool_connections", "state", "Connections to PostgreSQL: used, idle.")
POOL_LIMIT = _gauge("tournee_pool_limit_connections", "", "How many connections the pool may open.")
POOL_WAITING = _gauge("tournee_pool_waiting", "", "Tasks that wait for a connection.")
WORKER_JOBS = _gauge("tournee_worker_jobs", "queue", "Jobs that the process's worker holds.")
WORKER_CONCURRENCY = _gauge("tournee_worker_concurrency", "queue", "Jobs that the process's worker may hold.")

# --- the outside

PROVIDER_CALL = _histogram(
    "tournee_provider_call_seconds",
    "provider call outcome",
    "Calls to providers, embedded ones too: ok, outage, rejected or error.",
    RUNS,
)
PROVIDER_OUTAGES = _counter("tournee_provider_outages_total", "provider", "Jobs parked for an outage of the provider.")

# --- the web

HTTP_REQUESTS = _counter("tournee_http_requests_total", "method route status", "Answers given, by their route.")
HTTP_SECONDS = _histogram("tournee_http_request_seconds", "method route", "Until an answer began.", RUNS)

# --- what was told, and what was not

ERRORS_RECORDED = _counter("tournee_errors_recorded_total", "source", "Errors and rate limits that alerting has seen.")
INCIDENTS = _gauge("tournee_open_incidents", "", "Conditions that were told and are not over.")
ALERTS_TOLD = _counter("tournee_alerts_told_total", "condition", "Messages made, repeats and recoveries too.")
ALERTS_SENT = _counter("tournee_alerts_sent_total", "channel", "Messages that a channel took.")
ALERTS_DROPPED = _counter(
    "tournee_alerts_dropped_total", "channel", "Messages that a channel was not given or refused."
)
LOG_LINES = _counter("tournee_log_lines_total", "log", "Log lines written.")
LOG_LINES_DROPPED = _counter(
    "tournee_log_lines_dropped_total", "log", "Log lines lost: the queue was full, or the place did not take them."
)
SPANS_EXPORTED = _counter("tournee_spans_exported_total", "", "Spans that the OpenTelemetry endpoint took.")
SPANS_DROPPED = _counter(
    "tournee_spans_dropped_total", "reason", "Spans lost: queue_full, or export_failed at the endpoint."
)

# --- the system as the stores have it

UP = _gauge("tournee_up", "store", "Whether the store answers: postgresql, redis.", Scope.SYSTEM)
LEDGER_JOBS = _gauge("tournee_ledger_jobs", "queue state", "Rows of the ledger.", Scope.SYSTEM)
LEDGER_SCHEDULED = _gauge("tournee_ledger_scheduled_jobs", "queue", "Pending rows that are not due yet.", Scope.SYSTEM)
REDIS_JOBS = _gauge("tournee_redis_jobs", "queue state", "Entries in Redis' lists and sets.", Scope.SYSTEM)
DRIFT = _gauge(
    "tournee_drift_jobs",
    "queue",
    "How far Redis' window is from the ledger's; a few while jobs move, 0 at rest.",
    Scope.SYSTEM,
)
WINDOW = _gauge("tournee_window_jobs", "queue", "Jobs dispatched and not over: queued or running.", Scope.SYSTEM)
WINDOW_LIMIT = _gauge(
    "tournee_window_limit_jobs", "queue", "How many may be dispatched; 0: paused, or the breaker is open.", Scope.SYSTEM
)
OLDEST_READY = _gauge(
    "tournee_oldest_ready_age_seconds", "queue", "How long the oldest due job has been waiting.", Scope.SYSTEM
)
QUEUE_PAUSED = _gauge("tournee_queue_paused", "queue", "1 while an operator holds the queue.", Scope.SYSTEM)
BREAKER_STATE = _gauge(
    "tournee_breaker_state", "provider state", "1 for the state that is: closed, open, half-open.", Scope.SYSTEM
)
BREAKER_FAILURES = _gauge("tournee_breaker_failures", "provider", "Outages in a row.", Scope.SYSTEM)
WORKERS = _gauge("tournee_workers", "state", "Worker processes: serving, stopping, silent.", Scope.SYSTEM)
MESSAGES = _gauge("tournee_messages", "class", "Messages stored, by what they are.", Scope.SYSTEM)
NEWSLETTERS = _gauge("tournee_newsletters", "state", "Newsletters, by how far they are.", Scope.SYSTEM)
ANALYSES = _counter("tournee_analyses_total", "", "Analyses computed.", Scope.SYSTEM)
CACHE_HITS = _counter("tournee_analysis_cache_hits_total", "", "Newsletters served from the cache.", Scope.SYSTEM)
TOKENS = _counter("tournee_analysis_tokens_total", "direction", "Tokens that analyses took: in, out.", Scope.SYSTEM)
COST = _counter("tournee_analysis_cost_cents_total", "", "What analyses cost, in cents.", Scope.SYSTEM)
DELIVERIES = _counter("tournee_deliveries_total", "", "Alerts to readers that were sent.", Scope.SYSTEM)
TIME_TO_SEARCH = _gauge(
    "tournee_time_to_search_seconds",
    "quantile",
    "From stored to searchable, over the newsletters indexed in the last five minutes.",
    Scope.SYSTEM,
)
SYNC_AGE = _gauge(
    "tournee_mailbox_sync_age_seconds", "", "How long ago the stalest connected mailbox was synchronised.", Scope.SYSTEM
)
SCRAPE_AGE = _gauge("tournee_ledger_read_age_seconds", "", "How old the figures of the stores are.", Scope.SYSTEM)

METRICS: tuple[Metric, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Metric))
