"""What the engine asks of its two stores: `JobStore` (the ledger, PostgreSQL) and `Broker` (the dispatcher, BullMQ).

Worker and maintenance are written against these two, never against asyncpg or redis. The contract of
each method is stated here once; `engine.postgres` and `engine.bullmq` keep it.
"""

from __future__ import annotations

from tournee.engine.core.filling import Gate, Marked, QueueDeclaration, Room
from tournee.engine.core.records import (
    AttemptRow,
    BrokerDepth,
    BrokerSnapshot,
    DeadQuery,
    Fetched,
    Finished,
    HeldClaim,
    JobQuery,
    JobRow,
    Operator,
    ProviderRow,
    QueueOverview,
    QueueStatus,
    Rescued,
    WorkerRow,
)
from tournee.engine.ports.broker import Broker, BrokerMisconfigured, BrokerUnavailable
from tournee.engine.ports.ledger import (
    CommitUnknown,
    DeathHook,
    JobStore,
    LedgerContended,
    LedgerUnavailable,
    Transaction,
    TransactionOverdue,
)
from tournee.engine.ports.observer import NOBODY, Observer, RunOutcome, gather_observers

__all__ = [
    "NOBODY",
    "AttemptRow",
    "Broker",
    "BrokerDepth",
    "BrokerMisconfigured",
    "BrokerSnapshot",
    "BrokerUnavailable",
    "CommitUnknown",
    "DeadQuery",
    "DeathHook",
    "Fetched",
    "Finished",
    "Gate",
    "HeldClaim",
    "JobQuery",
    "JobRow",
    "JobStore",
    "LedgerContended",
    "LedgerUnavailable",
    "Marked",
    "Observer",
    "Operator",
    "ProviderRow",
    "QueueDeclaration",
    "QueueOverview",
    "QueueStatus",
    "Rescued",
    "Room",
    "RunOutcome",
    "Transaction",
    "TransactionOverdue",
    "WorkerRow",
    "gather_observers",
]
