"""Asking for a mailbox to be synchronised.

Owns the coalescing of bursts: the job's key is the mailbox's generation, which the handler raises before it
reads. So any number of requests before a run are one job, and requests during a run exactly one more.
"""

from __future__ import annotations

from tournee.engine.client import Enqueued, Priority, Transaction
from tournee.engine.core.job import TERMINAL
from tournee.pipeline.core.payloads import SyncMailbox
from tournee.pipeline.store.mailboxes import lock_mailbox, raise_generation


async def request_sync(
    tx: Transaction, mailbox_id: int, *, priority: Priority = Priority.NORMAL, trace_context: str | None = None
) -> Enqueued | None:
    """Enqueue a SyncMailbox of the current generation in the caller's transaction; None if the mailbox is gone.

    Locks the mailbox's row. A job of this generation that is over already (it died, or was cancelled, before it
    raised the generation) would swallow the request: then the generation is raised here.
    """
    mailbox = await lock_mailbox(tx.connection, mailbox_id)
    if mailbox is None:
        return None
    payload = SyncMailbox(mailbox_id=mailbox_id, generation=mailbox.generation)
    enqueued = await tx.enqueue(payload, priority=priority, trace_context=trace_context)
    if enqueued.state not in TERMINAL:
        return enqueued
    await raise_generation(tx.connection, mailbox_id, mailbox.generation)
    payload = SyncMailbox(mailbox_id=mailbox_id, generation=mailbox.generation + 1)
    return await tx.enqueue(payload, priority=priority, trace_context=trace_context)
