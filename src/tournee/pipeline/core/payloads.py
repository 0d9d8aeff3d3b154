"""The jobs of the pipeline: what each of the four queues is asked to do.

Owns kinds, versions, keys and tenants. A payload holds ids only. A mailbox is a tenant, so that a large
import of one reader does not hold up the others.
"""

from __future__ import annotations

from tournee.engine.core.payload import Payload


def tenant_of(mailbox_id: int) -> str:
    """The tenant under which all jobs of a mailbox take turns with those of others."""
    return f"mailbox:{mailbox_id}"


class SyncMailbox(Payload, queue="fetchEmails", kind="sync-mailbox", version=1):
    """Fetch one page of new mail. Bursts coalesce: all requests of one generation are one job."""

    mailbox_id: int
    generation: int

    def key(self) -> str:
        """See `Payload`."""
        return f"{self.mailbox_id}:{self.generation}"

    def tenant(self) -> str:
        """Its mailbox."""
        return tenant_of(self.mailbox_id)


class AnalyseNewsletter(Payload, queue="processMails", kind="analyse-newsletter", version=1):
    """Analyse one newsletter, or link the analysis that its content already has."""

    newsletter_id: int
    mailbox_id: int

    def key(self) -> str:
        """See `Payload`."""
        return str(self.newsletter_id)

    def tenant(self) -> str:
        """Its mailbox."""
        return tenant_of(self.mailbox_id)


class IndexNewsletter(Payload, queue="indexNews", kind="index-newsletter", version=1):
    """Make one analysed newsletter searchable and plan its notifications."""

    newsletter_id: int
    mailbox_id: int

    def key(self) -> str:
        """See `Payload`."""
        return str(self.newsletter_id)

    def tenant(self) -> str:
        """Its mailbox."""
        return tenant_of(self.mailbox_id)


class SendDelivery(Payload, queue="sendNotifications", kind="send-delivery", version=1):
    """Send one alert to one reader over one channel."""

    delivery_id: int
    mailbox_id: int

    def key(self) -> str:
        """See `Payload`."""
        return f"delivery:{self.delivery_id}"

    def tenant(self) -> str:
        """Its mailbox."""
        return tenant_of(self.mailbox_id)


class SendAdminNotice(Payload, queue="sendNotifications", kind="send-admin-notice", version=1):
    """Tell the administrators of one fault."""

    notice_id: int

    def key(self) -> str:
        """See `Payload`."""
        return f"notice:{self.notice_id}"

    def tenant(self) -> str:
        """All notices take turns as one."""
        return "administrators"
