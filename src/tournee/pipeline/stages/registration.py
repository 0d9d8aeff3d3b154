"""Which handler does which job: the pipeline's whole registry in one place.

Owns time limits, batch size and the hooks that keep news tables true when a job dies, is cancelled or redriven.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from tournee.db.pool import Pool
from tournee.engine.client import Registry
from tournee.pipeline.core.payloads import (
    AnalyseNewsletter,
    IndexNewsletter,
    SendAdminNotice,
    SendDelivery,
    SyncMailbox,
)
from tournee.pipeline.ports import Analyser, ContentReader, Mailer, MailSource, SearchIndex
from tournee.pipeline.stages import fetch_emails, index_news, process_mails, send_notifications


@dataclass(frozen=True, slots=True)
class StagePorts:
    """What the stages work with. `outside` None: nothing leaves the house; `host` names us in Message-IDs."""

    pool: Pool
    sources: Mapping[str, MailSource]
    reader: ContentReader
    outside: Analyser | None
    embedded: Analyser
    index: SearchIndex
    mailer: Mailer
    administrators: Sequence[str]
    host: str


def register_stages(registry: Registry, ports: StagePorts) -> None:
    """Declare the four queues and add their handlers to `registry`."""
    registry.declare_queue("fetchEmails", priority="high", provider="gmail")
    registry.declare_queue("processMails", priority="high", provider="mistral")
    registry.declare_queue("indexNews", priority="medium", provider="meilisearch")
    registry.declare_queue("sendNotifications", priority="medium", provider="smtp")
    registry.add(
        SyncMailbox,
        fetch_emails.FetchEmails(ports.sources, ports.reader).handle,
        time_limit=timedelta(minutes=2),
        on_dead=fetch_emails.on_dead,
        on_redrive=fetch_emails.on_redrive,
        on_cancelled=fetch_emails.on_cancelled,
    )
    registry.add(
        AnalyseNewsletter,
        process_mails.ProcessMails(ports.outside, ports.embedded).handle,
        time_limit=timedelta(seconds=100),
        on_dead=process_mails.on_dead,
        on_redrive=process_mails.on_redrive,
        on_cancelled=process_mails.on_cancelled,
    )
    registry.add(
        IndexNewsletter,
        index_news.IndexNews(ports.pool, ports.index).handle,
        batch=index_news.BATCH_SIZE,
        on_dead=index_news.on_dead,
        on_redrive=index_news.on_redrive,
        on_cancelled=index_news.on_cancelled,
    )
    _register_notifications(registry, ports)


def _register_notifications(registry: Registry, ports: StagePorts) -> None:
    registry.add(
        SendDelivery,
        send_notifications.SendNotifications(ports.pool, ports.mailer, ports.host).handle,
        time_limit=timedelta(minutes=1),
        on_dead=send_notifications.on_dead_delivery,
        on_redrive=send_notifications.on_redrive_delivery,
        on_cancelled=send_notifications.on_cancelled_delivery,
    )
    registry.add(
        SendAdminNotice,
        send_notifications.SendAdminNotices(ports.pool, ports.mailer, ports.administrators, ports.host).handle,
        time_limit=timedelta(minutes=1),
        on_dead=send_notifications.on_dead_notice,
        on_redrive=send_notifications.on_redrive_notice,
        on_cancelled=send_notifications.on_cancelled_notice,
    )
