"""Every kind of fault of the matrix: its name, its lane, what it is. Pure.

A lane is a sequence of faults; lanes run side by side, so that faults of different lanes meet. Invariant: each kind
has exactly one injector (a test compares), and a plan holds each kind at least once.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Lane(StrEnum):
    """What a fault strikes."""

    PROCESS = "process"
    NETWORK = "network"
    STORE = "store"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of fault. `alone`: no other fault runs beside it; it needs peace, or may not cause what is checked."""

    name: str
    lane: Lane
    what: str
    alone: bool = False


def _in_lane(lane: Lane, kinds: dict[str, str]) -> list[Kind]:
    return [Kind(name, lane, what) for name, what in kinds.items()]


_PROCESS = {
    "kill-after-fetch": "SIGKILL of a worker after the fetch and before the claim",
    "kill-after-claim": "SIGKILL of a worker after the claim and before the handler",
    "kill-in-handler": "SIGKILL of a worker in the handler",
    "kill-after-commit": "SIGKILL of a worker after COMMIT, before the acknowledgement",
    "kill-relay-after-mark": "SIGKILL of a relay between mark and add",
    "kill-leader": "SIGKILL of the process that rescues",
    "api-killed": "SIGKILL of the API before the COMMIT of a request, or between COMMIT and answer",
    "api-stopped": "SIGSTOP of the API for longer than its callers wait",
    "kill-caller": "SIGKILL of the process that posts to the API",
    "stop-past-lease": "SIGSTOP of a worker past the lease, then SIGCONT",
    "loop-blocked": "a worker's event loop blocked past lease and lock",
    "segfault": "a job that segfaults among 50 others",
    "clock-off": "a worker's clock off by 10 minutes",
    "unknown-kind": "jobs of a kind that no worker knows yet (rolling deploy)",
    "graceful-restart": "SIGTERM of a worker",
    "two-leaders": "two rescuers, two reconcilers: leases of roles ignored; relays are always several",
    "pool-exhausted": "all connections of a worker's pool taken, or all of the server's",
    "operator": "jobs cancelled, dead letters redriven and discarded in the midst of it",
}

_NETWORK = {
    "redis-cut": "a worker cut off from Redis only (refused)",
    "redis-half-open": "a worker cut off from Redis only (no answer, no FIN)",
    "postgresql-cut": "a worker cut off from PostgreSQL only (refused)",
    "postgresql-half-open": "a worker cut off from PostgreSQL only (no answer, no FIN)",
    "relay-cut": "a relay cut off from Redis, or from PostgreSQL",
    "latency": "200 ms more each way, to both stores",
    "claim-answer-lost": "the answer to a claim lost",
    "commit-answer-lost": "the answer to a COMMIT lost",
    "enqueue-answer-lost": "the answer to the API's COMMIT lost",
    "completion-answer-lost": "the answer to a completion in a batch lost",
    "fetch-answer-lost": "Redis' answer to a pipeline of moveToActive lost",
    "commit-slow": "a COMMIT, or its answer, that takes longer than the lease",
    "host-partition": "a worker's host cut off from both stores: a link down between network namespaces",
    "provider-outage": "a provider down for some seconds",
}

_STORE = {
    "flush-in-add": "FLUSHALL during a bulk add",
    "flush-in-handler": "FLUSHALL while a handler runs",
    "flush-in-reconcile": "FLUSHALL during a comparison, or between a new epoch's SET and its commit",
    "redis-restart": "Redis killed and started without what it kept",
    "script-flush": "SCRIPT FLUSH",
    "redis-memory": "Redis out of memory under noeviction",
    "redis-outage": "Redis away longer than every time-out (gone, or silent)",
    "postgresql-restart-in-claim": "PostgreSQL restarted during a claim",
    "postgresql-restart-in-completion": "PostgreSQL restarted during a completion",
    "postgresql-restart-in-rescue": "PostgreSQL restarted during a rescue",
    "deadlock": "deadlocks: rows locked against the engine's order, handlers that lock crosswise",
    "long-snapshot": "a long REPEATABLE READ reader, idle in its transaction",
    "disk-full": "the disk under both stores full",
    "board-hands": "Bull Board's retry, remove and clean, used behind our back; entries of others' making",
}

KINDS: tuple[Kind, ...] = (
    *_in_lane(Lane.PROCESS, _PROCESS),
    *_in_lane(Lane.NETWORK, _NETWORK),
    *_in_lane(Lane.STORE, _STORE),
    Kind("flush-idle", Lane.STORE, "FLUSHALL while idle", alone=True),
    Kind("postgresql-away", Lane.STORE, "PostgreSQL away longer than the lease: nobody may be rescued", alone=True),
)
BY_NAME = {kind.name: kind for kind in KINDS}
