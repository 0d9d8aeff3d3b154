"""indexNews: a batch of analysed newsletters becomes searchable, and who wants to know is planned in the same commit.

Keeps: a newsletter counts as indexed only when the index has it durably; a document that is refused fails alone;
indexing twice tells nobody twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from tournee.db.pool import Pool
from tournee.engine.client import Batch, DeadJob, Job, Priority, Transaction
from tournee.kit.trace import new_traceparent
from tournee.pipeline.core.payloads import IndexNewsletter, SendDelivery
from tournee.pipeline.core.rules import RuleSubject, plan_deliveries
from tournee.pipeline.ports import Rejected, SearchDocument, SearchIndex
from tournee.pipeline.stages.faults import describe_reason
from tournee.pipeline.store.deliveries import NewDelivery, OwnedRule, insert_deliveries, list_rules
from tournee.pipeline.store.newsletters import (
    IndexableNewsletter,
    list_indexable_newsletters,
    mark_indexed,
    set_index_error,
)
from tournee.pipeline.store.reading import open_reading

BATCH_SIZE = 50


class IndexNews:
    """Batch handler of `IndexNewsletter`. `pool` is for reading; all that is written goes with the batch's commit."""

    def __init__(self, pool: Pool, index: SearchIndex) -> None:
        self._pool = pool
        self._index = index

    async def handle(self, batch: Batch[IndexNewsletter]) -> None:
        """Index all, fail what is refused, plan the alerts of the rest. Newsletters erased meanwhile just complete."""
        jobs = {job.payload.newsletter_id: job for job in batch.jobs}
        async with open_reading(self._pool) as connection:
            newsletters = await list_indexable_newsletters(connection, list(jobs))
            rules = await list_rules(connection, sorted({newsletter.owner_id for newsletter in newsletters}))
        # Keywords are looked for in whole texts: beside the event loop, and before the transaction.
        planned = await asyncio.to_thread(_plan_all, newsletters, rules)
        documents = [_make_document(newsletter) for newsletter in newsletters]
        refused = await self._index.put(documents) if documents else {}
        for newsletter_id, reason in refused.items():
            batch.fail(jobs[newsletter_id], Rejected(reason))
        async with batch.transaction() as tx:
            indexed = [newsletter.id for newsletter in newsletters if newsletter.id not in refused]
            alive = await mark_indexed(tx.connection, indexed)
            chosen = [delivery for delivery in planned if delivery.newsletter_id in alive]
            imported = {newsletter.id for newsletter in newsletters if newsletter.imported}
            await _enqueue_deliveries(tx, chosen, jobs, imported)


async def _enqueue_deliveries(
    tx: Transaction,
    deliveries: Sequence[NewDelivery],
    jobs: Mapping[int, Job[IndexNewsletter]],
    imported: set[int],
) -> None:
    if not deliveries:
        return
    new = await insert_deliveries(tx.connection, deliveries)
    for priority in (Priority.NORMAL, Priority.BACKFILL):
        chosen = {
            delivery_id: jobs[newsletter_id]
            for delivery_id, newsletter_id in new.items()
            if (newsletter_id in imported) == (priority is Priority.BACKFILL)
        }
        await tx.enqueue_many(
            [SendDelivery(delivery_id=new_id, mailbox_id=job.payload.mailbox_id) for new_id, job in chosen.items()],
            priority=priority,
            trace_contexts=[new_traceparent(job.trace_context) for job in chosen.values()],
        )


def _plan_all(newsletters: Sequence[IndexableNewsletter], rules: Sequence[OwnedRule]) -> list[NewDelivery]:
    planned: list[NewDelivery] = []
    for newsletter in newsletters:
        if not newsletter.notifies:
            continue
        applied = [
            owned.rule
            for owned in rules
            if owned.owner_id == newsletter.owner_id and owned.mailbox_id in (None, newsletter.mailbox_id)
        ]
        deliveries = plan_deliveries(applied, _make_subject(newsletter), newsletter.owner_email)
        planned += [NewDelivery(newsletter.owner_id, newsletter.id, delivery) for delivery in deliveries]
    return planned


def _make_subject(newsletter: IndexableNewsletter) -> RuleSubject:
    return RuleSubject(
        sender_name=newsletter.from_name,
        sender_address=newsletter.from_address,
        topics=newsletter.topics,
        text=f"{newsletter.title}\n{newsletter.summary}\n{newsletter.text}",
        language=newsletter.language,
    )


def _make_document(newsletter: IndexableNewsletter) -> SearchDocument:
    return SearchDocument(
        newsletter_id=newsletter.id,
        owner_id=newsletter.owner_id,
        language=newsletter.language,
        title=newsletter.title,
        summary=newsletter.summary,
        sender=newsletter.sender,
        topics=newsletter.topics,
        body=newsletter.text,
        sent_at=newsletter.sent_at,
    )


async def on_dead(tx: Transaction, dead: DeadJob) -> None:
    """Keep on the newsletter why it is not searchable."""
    newsletter_id = IndexNewsletter.model_validate(dead.payload).newsletter_id
    await set_index_error(tx.connection, newsletter_id, describe_reason(dead))


async def on_cancelled(tx: Transaction, dead: DeadJob) -> None:
    """An operator gave the job up."""
    newsletter_id = IndexNewsletter.model_validate(dead.payload).newsletter_id
    await set_index_error(tx.connection, newsletter_id, "cancelled by an operator")


async def on_redrive(tx: Transaction, dead: DeadJob) -> None:
    """Take the error away: it is tried again."""
    await set_index_error(tx.connection, IndexNewsletter.model_validate(dead.payload).newsletter_id, None)
