"""What the stages ask of the outside: a mail source, a content reader, an analyser, an index, a mailer.

A vendor slots in by keeping one of these protocols; the stages are not touched. Errors have three meanings
and no others: `OutsideUnavailable` (an outage: the job is parked, no attempt used), `Rejected` (this one item
is refused: a failed attempt), anything else (a fault of ours: a failed attempt).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

from tournee.engine.core.errors import ProviderUnavailable

type_json = Mapping[str, Any]


class OutsideUnavailable(ProviderUnavailable):
    """A provider is down, limits us, or refuses our credentials. Not the job's fault: it is parked.

    `provider` is the name of a breaker; `retry_after` is what the provider asked for, if it did.
    """


class Rejected(Exception):
    """The outside answered, and refused or spoilt this one item (malformed JSON, a bad document)."""


# --- mail ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FetchedMessage:
    """One message as its provider gave it. `provider_id` identifies it within the mailbox."""

    provider_id: str
    raw: bytes
    name: str = ""
    received_at: datetime | None = None
    import_id: int | None = None
    size: int | None = None
    """How long the whole message is, where `raw` was cut at the size limit. None: as long as `raw`."""


@dataclass(frozen=True, slots=True)
class FetchedPage:
    """Some messages and the cursor that covers them: stored together or not at all."""

    messages: Sequence[FetchedMessage]
    cursor: type_json
    has_more: bool


class MailSource(Protocol):
    """Where a mailbox's messages come from: an import, Gmail, IMAP."""

    async def fetch(self, mailbox_id: int, cursor: type_json) -> FetchedPage:
        """Read what came after `cursor`, one page of bounded size, oldest first. Changes nothing outside."""
        ...


class MessageClass(StrEnum):
    """What a message is; the reasons are stored beside it."""

    NEWSLETTER = "newsletter"
    CONFIRMATION = "confirmation"
    OTHER = "other"
    UNPARSABLE = "unparsable"


@dataclass(frozen=True, slots=True)
class Reason:
    """One rule that spoke for (weight > 0) or against (weight < 0) a newsletter, with what it saw."""

    rule: str
    weight: float
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    """A link that stands in a mail, with the words it stands under."""

    url: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class ReadMail:
    """A message, read: what is stored of it. All text is free of NUL and of lone surrogates.

    For `UNPARSABLE` only `notes` says why; everything else is empty. `text`, `html` and `links` are filled
    for newsletters and confirmations; `html` is sanitised. `content_hash` (hex SHA-256) is taken over the
    normalised visible text, personal parts taken out, so that one issue sent to many people has one hash.
    """

    message_class: MessageClass
    score: float = 0.0
    reasons: Sequence[Reason] = ()
    message_id: str | None = None
    subject: str = ""
    from_name: str = ""
    from_address: str = ""
    sent_at: datetime | None = None
    language: str = "und"
    text: str = ""
    html: str = ""
    links: Sequence[Link] = ()
    content_hash: str = ""
    attachments: Sequence[str] = ()
    recipients: Sequence[str] = ()
    """Names and addresses of whom this copy was sent to, for newsletters; those of a mailing list are left out."""
    notes: Sequence[str] = field(default_factory=tuple)
    """What was odd and how it was read nevertheless: charset guessed, date missing, …"""


class ContentReader(Protocol):
    """Turns bytes into what is stored of a message."""

    async def read(self, raw: bytes) -> ReadMail:
        """Parse, classify and clean one message off the event loop, within a limit of time and memory.

        Never raises for a bad message: one that cannot be parsed, or exceeds a limit, is `UNPARSABLE`.
        """
        ...

    async def close(self) -> None: ...


# --- analysis --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AnalysisRequest:
    """One newsletter to be analysed. `message_id` (the header) names it in logs and to fault injection."""

    message_id: str | None
    subject: str
    sender: str
    text: str
    links: Sequence[Link]
    language_hint: str = "und"


@dataclass(frozen=True, slots=True)
class KeyLink:
    """A link worth following, and why. `place`: which of the mail's links it is, where several look alike once
    their personal parts are gone.
    """

    url: str
    why: str
    place: int = 0


@dataclass(frozen=True, slots=True)
class Analysis:
    """What is shown and searched of a newsletter. Every url occurs in the mail."""

    title: str
    summary: str
    summary_language: str
    language: str
    topics: Sequence[str]
    entities: Sequence[str]
    key_links: Sequence[KeyLink]
    reading_minutes: int
    kind: str
    tokens_in: int = 0
    tokens_out: int = 0
    cost_microcents: int = 0


class Analyser(Protocol):
    """Says what an issue is about."""

    name: str
    """`embedded`, `mistral`: shown beside each analysis."""

    cache_version: str
    """Prompt, schema and model version: part of the cache's key."""

    provider: str | None
    """The breaker that guards it; None: nothing outside is called."""

    async def analyse(self, request: AnalysisRequest) -> Analysis: ...


# --- index -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SearchDocument:
    """One newsletter as it is indexed."""

    newsletter_id: int
    owner_id: int
    language: str
    title: str
    summary: str
    sender: str
    topics: Sequence[str]
    body: str
    sent_at: datetime | None


@dataclass(frozen=True, slots=True)
class SearchHit:
    """One newsletter found."""

    newsletter_id: int
    title: str
    sender: str
    snippet: str
    """Plain text around the match; matches stand between U+E000 and U+E001 for the caller to mark."""
    language: str
    sent_at: datetime | None
    rank: float


@dataclass(frozen=True, slots=True)
class SearchResult:
    """One page of hits."""

    hits: Sequence[SearchHit]
    total: int
    corrected: str | None
    """The query as it was understood, when typing errors were mended."""


class SearchIndex(Protocol):
    """Finds newsletters for their owners."""

    async def put(self, documents: Sequence[SearchDocument]) -> Mapping[int, str]:
        """Index all, replacing by newsletter_id; answers error texts by id for those that were refused.

        Durable when it returns. Called again with the same documents it changes nothing.
        """
        ...

    async def remove(self, newsletter_ids: Sequence[int]) -> None: ...

    async def search(self, query: str, owner_id: int | None, limit: int = 20, offset: int = 0) -> SearchResult:
        """What an owner finds (None: everything, for operators). An empty query finds the latest."""
        ...


# --- notification ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Email:
    """One e-mail to send. `message_id` stays the same over retries, so that a receiver can drop a repeat."""

    message_id: str
    to: str
    subject: str
    text: str
    html: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Mailer(Protocol):
    """Hands e-mail to its next hop."""

    async def send(self, email: Email) -> None:
        """Hand over one e-mail; returns when the next hop has taken responsibility for it."""
        ...


DEFAULT_RETRY_AFTER = timedelta(seconds=30)
