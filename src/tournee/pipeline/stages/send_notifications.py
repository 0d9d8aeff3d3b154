"""sendNotifications: an alert goes to its reader, a notice to the administrators.

Keeps: what was sent is marked in the commit that completes its job; a repeat after a crash between the two bears
the same Message-ID, so that the receiver can drop it. Refuses a channel that it cannot serve.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tournee.db.pool import Pool
from tournee.engine.client import DeadJob, Job, Transaction
from tournee.pipeline.core.emails import compose_alert, compose_notice
from tournee.pipeline.core.payloads import SendAdminNotice, SendDelivery
from tournee.pipeline.ports import Mailer, Rejected
from tournee.pipeline.stages.faults import describe_reason
from tournee.pipeline.store.deliveries import (
    load_delivery,
    mark_delivery_failed,
    mark_delivery_sent,
    restore_delivery,
)
from tournee.pipeline.store.notices import load_notice, mark_notice_sent, set_notice_error
from tournee.pipeline.store.reading import open_reading


class SendNotifications:
    """Handler of `SendDelivery`. `host` names us in Message-IDs and must stay the same over restarts."""

    def __init__(self, pool: Pool, mailer: Mailer, host: str) -> None:
        self._pool = pool
        self._mailer = mailer
        self._host = host

    async def handle(self, job: Job[SendDelivery]) -> None:
        """Send one alert. One that was sent, or whose newsletter was erased, completes without doing anything."""
        async with open_reading(self._pool) as connection:
            delivery = await load_delivery(connection, job.payload.delivery_id)
        if delivery is not None and delivery.state != "sent":
            if delivery.channel != "email":
                raise Rejected(f"channel {delivery.channel} is not available")
            await self._mailer.send(compose_alert(delivery.alert, self._host))
        async with job.transaction() as tx:
            await mark_delivery_sent(tx.connection, job.payload.delivery_id)


@dataclass(frozen=True, slots=True)
class NoticeForm:
    """What all notices have in common; `host` as above, `console_url`: where jobs are shown."""

    host: str
    console_url: str = ""
    language: str = "en"


class SendAdminNotices:
    """Handler of `SendAdminNotice`. With no administrators the notice stays unsent, and the job says so."""

    def __init__(self, pool: Pool, mailer: Mailer, administrators: Sequence[str], form: NoticeForm) -> None:
        self._pool = pool
        self._mailer = mailer
        self._administrators = administrators
        self._form = form

    async def handle(self, job: Job[SendAdminNotice]) -> None:
        """Send one notice to each administrator; after a failure all are sent it again, under the same ids."""
        async with open_reading(self._pool) as connection:
            stored = await load_notice(connection, job.payload.notice_id)
        if stored is not None and not stored.sent:
            for address in self._administrators:
                form = self._form
                mail = compose_notice(stored.notice, address, form.host, form.console_url, form.language)
                await self._mailer.send(mail)
        if not self._administrators:
            await job.log("no administrators are set up: nobody was told")
        async with job.transaction() as tx:
            if self._administrators:
                await mark_notice_sent(tx.connection, job.payload.notice_id)
            else:
                await set_notice_error(tx.connection, job.payload.notice_id, "no administrators are set up")


async def on_dead_delivery(tx: Transaction, dead: DeadJob) -> None:
    """Give the alert up, with the reason."""
    delivery_id = SendDelivery.model_validate(dead.payload).delivery_id
    await mark_delivery_failed(tx.connection, delivery_id, describe_reason(dead))


async def on_cancelled_delivery(tx: Transaction, dead: DeadJob) -> None:
    """An operator gave the job up."""
    delivery_id = SendDelivery.model_validate(dead.payload).delivery_id
    await mark_delivery_failed(tx.connection, delivery_id, "cancelled by an operator")


async def on_redrive_delivery(tx: Transaction, dead: DeadJob) -> None:
    """Let it be sent again."""
    await restore_delivery(tx.connection, SendDelivery.model_validate(dead.payload).delivery_id)


async def on_dead_notice(tx: Transaction, dead: DeadJob) -> None:
    """Keep why nobody was told. No notice about a notice."""
    notice_id = SendAdminNotice.model_validate(dead.payload).notice_id
    await set_notice_error(tx.connection, notice_id, describe_reason(dead))


async def on_cancelled_notice(tx: Transaction, dead: DeadJob) -> None:
    """An operator gave the job up."""
    notice_id = SendAdminNotice.model_validate(dead.payload).notice_id
    await set_notice_error(tx.connection, notice_id, "cancelled by an operator")


async def on_redrive_notice(tx: Transaction, dead: DeadJob) -> None:
    """Let it be sent again."""
    await set_notice_error(tx.connection, SendAdminNotice.model_validate(dead.payload).notice_id, None)
