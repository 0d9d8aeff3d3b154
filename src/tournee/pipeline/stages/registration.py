"""Which handler does which job: the pipeline's whole registry in one place.

Owns the queues with their priorities and providers, time limits, the batch size, and the hooks that keep news tables
true when a job dies, is cancelled or redriven.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from tournee.db.pool import Pool
from tournee.engine.client import Registry, RetryPolicy
from tournee.kit.trace import BeginTrace, begin_untraced
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
    """What the stages work with. `outside` None: nothing leaves the house; `host` names us in Message-IDs.

    `language` is that of the administrators' notices; `raw_kept`: how long the bytes of a message are kept.
    `retries`: when a failed job runs again, by queue, where that is not the engine's default.
    """

    pool: Pool
    sources: Mapping[str, MailSource]
    reader: ContentReader
    outside: Analyser | None
    embedded: Analyser
    index: SearchIndex
    mailer: Mailer
    administrators: Sequence[str]
    host: str
    console_url: str = ""
    language: str = "en"
    raw_kept: timedelta = fetch_emails.RAW_KEPT
    retries: Mapping[str, RetryPolicy] = field(default_factory=dict)
    begin_trace: BeginTrace = begin_untraced


def register_stages(registry: Registry, ports: StagePorts) -> None:
    """Declare the four queues and add their handlers to `registry`."""
    registry.declare_queue("fetchEmails", priority="high", provider="gmail")
    registry.declare_queue("processMails", priority="high", provider="mistral")
    registry.declare_queue("indexNews", priority="medium", provider="meilisearch")
    registry.declare_queue("sendNotifications", priority="medium", provider="smtp")
    _register_fetch(registry, ports)
    _register_analysis(registry, ports)
    _register_index(registry, ports)
    _register_notifications(registry, ports)


def _retry(ports: StagePorts, queue: str) -> RetryPolicy:
    return ports.retries.get(queue, RetryPolicy())


def _register_fetch(registry: Registry, ports: StagePorts) -> None:
    registry.add(
        SyncMailbox,
        fetch_emails.FetchEmails(
            ports.sources, ports.reader, fetch_emails.FetchLimits(raw_kept=ports.raw_kept), ports.begin_trace
        ).handle,
        time_limit=timedelta(minutes=2),
        retry=_retry(ports, "fetchEmails"),
        on_dead=partial(fetch_emails.on_dead, language=ports.language),
        on_redrive=fetch_emails.on_redrive,
        on_cancelled=fetch_emails.on_cancelled,
    )


def _register_analysis(registry: Registry, ports: StagePorts) -> None:
    registry.add(
        AnalyseNewsletter,
        process_mails.ProcessMails(ports.outside, ports.embedded).handle,
        time_limit=timedelta(seconds=100),
        retry=_retry(ports, "processMails"),
        on_dead=partial(process_mails.on_dead, language=ports.language),
        on_redrive=process_mails.on_redrive,
        on_cancelled=process_mails.on_cancelled,
    )


def _register_index(registry: Registry, ports: StagePorts) -> None:
    registry.add(
        IndexNewsletter,
        index_news.IndexNews(ports.pool, ports.index).handle,
        batch=index_news.BATCH_SIZE,
        retry=_retry(ports, "indexNews"),
        on_dead=index_news.on_dead,
        on_redrive=index_news.on_redrive,
        on_cancelled=index_news.on_cancelled,
    )


def _register_notifications(registry: Registry, ports: StagePorts) -> None:
    registry.add(
        SendDelivery,
        send_notifications.SendNotifications(ports.pool, ports.mailer, ports.host).handle,
        time_limit=timedelta(minutes=1),
        retry=_retry(ports, "sendNotifications"),
        on_dead=send_notifications.on_dead_delivery,
        on_redrive=send_notifications.on_redrive_delivery,
        on_cancelled=send_notifications.on_cancelled_delivery,
    )
    registry.add(
        SendAdminNotice,
        send_notifications.SendAdminNotices(
            ports.pool,
            ports.mailer,
            ports.administrators,
            send_notifications.NoticeForm(ports.host, ports.console_url, ports.language),
        ).handle,
        time_limit=timedelta(minutes=1),
        retry=_retry(ports, "sendNotifications"),
        on_dead=send_notifications.on_dead_notice,
        on_redrive=send_notifications.on_redrive_notice,
        on_cancelled=send_notifications.on_cancelled_notice,
    )
