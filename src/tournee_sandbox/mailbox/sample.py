"""One mail of the sample and what is to become of it; the sample as a whole and its expectations."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

SampleClass = Literal["newsletter", "confirmation", "other", "unparsable", "not_mail"]


@dataclass(frozen=True, slots=True)
class SampleMail:
    """A mail before it is filed. `issue` is the same for all copies of one issue, and for nothing else."""

    person: str
    raw: bytes
    message_class: SampleClass
    date: datetime
    oddity: str
    message_id: str | None = None
    """As it is stored: without angle brackets."""
    issue: str | None = None
    language: str | None = None
    subject: str | None = None
    planted_failure: bool = False


@dataclass(frozen=True, slots=True)
class FiledMail:
    """A mail and where it lies. `path` is relative to the folder; a mail in an mbox has `#` and its number, from 1."""

    path: str
    mail: SampleMail
    stored: bytes
    """As they are filed; out of an mbox with the quoting of From lines undone."""
    duplicate: bool = False

    def describe(self) -> dict[str, Any]:
        mail = self.mail
        return {
            "path": self.path,
            "person": mail.person,
            "class": "duplicate" if self.duplicate else mail.message_class,
            "message_id": mail.message_id,
            "issue": mail.issue,
            "language": mail.language,
            "subject": mail.subject,
            "planted_failure": mail.planted_failure,
            "oddity": mail.oddity,
            "sha256": hashlib.sha256(self.stored).hexdigest(),
        }


@dataclass(frozen=True, slots=True)
class Search:
    """A query that must find an issue among its first hits. `mended`: it holds a typing error."""

    query: str
    issue: str
    mended: bool = False


@dataclass(frozen=True, slots=True)
class SampleMailbox:
    """The sample as it was written."""

    folder: Path
    filed: Sequence[FiledMail]
    searches: Sequence[Search]

    @property
    def failing_message_ids(self) -> frozenset[str]:
        """What `FaultyAnalyser` has to fail on."""
        return frozenset(
            filed.mail.message_id for filed in self.filed if filed.mail.planted_failure and filed.mail.message_id
        )

    def expect_summary(self) -> Mapping[str, int]:
        """The figures of `tournee import` over this folder, in an empty home, with the planted failure active."""
        kept = [filed.mail for filed in self.filed if not filed.duplicate]
        classes = Counter(mail.message_class for mail in kept)
        newsletters = [mail for mail in kept if mail.message_class == "newsletter"]
        invalid = sum(mail.planted_failure for mail in newsletters)
        analysed = len({mail.issue for mail in newsletters if not mail.planted_failure})
        return {
            "messages": len(kept) - classes["not_mail"],
            "newsletters": len(newsletters),
            "confirmations": classes["confirmation"],
            "others": classes["other"],
            "unparsable": classes["unparsable"],
            "analysed": analysed,
            "cache_hits": len(newsletters) - invalid - analysed,
            "invalid": invalid,
            "indexed": len(newsletters) - invalid,
            "notified": len(newsletters) - invalid,
            "duplicates": sum(filed.duplicate for filed in self.filed),
            "not_mail": classes["not_mail"],
            "failed": 3 * invalid,
            "dead": invalid,
            "lost": 0,
        }

    def expect_mails_sent(self) -> Mapping[str, int]:
        """What the SMTP simulator holds afterwards: an alert for each indexed newsletter, a notice for each fault."""
        summary = self.expect_summary()
        notices = summary["invalid"]
        return {
            "alerts": summary["notified"],
            "admin_notices": notices,
            "count": summary["notified"] + notices,
            "repeats": 0,
        }

    def describe(self) -> dict[str, Any]:
        """All expectations as one JSON object."""
        return {
            "summary": dict(self.expect_summary()),
            "mails_sent": dict(self.expect_mails_sent()),
            "failing_message_ids": sorted(self.failing_message_ids),
            "searches": [{"query": s.query, "issue": s.issue, "mended": s.mended} for s in self.searches],
            "mails": [filed.describe() for filed in self.filed],
        }
