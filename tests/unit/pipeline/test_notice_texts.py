"""What a notice to the administrators says: in their language, and nothing of a mail's contents."""

from __future__ import annotations

import dataclasses
import re
import string
from datetime import UTC, datetime

import pytest

from tournee.alerts.wording import LANGUAGES
from tournee.engine.client import DeadJob, JobId, QueueName
from tournee.engine.core.job import Failure
from tournee.pipeline.core.emails import Notice, compose_notice
from tournee.pipeline.core.notice_wording import NOTICE_WORDINGS
from tournee.pipeline.core.wording import WORDINGS
from tournee.pipeline.stages.faults import describe_dead_sync, describe_invalid
from tournee.pipeline.store.newsletters import InvalidNewsletter
from tournee.web.waiting import PAGE

NEWSLETTER = InvalidNewsletter("Le café du matin", "Daily", "news@daily.example", "Ada")


def make_dead(error_class: str = "Rejected", message: str = "malformed answer") -> DeadJob:
    return DeadJob(
        job_id=JobId(41),
        queue=QueueName("processMails"),
        key="newsletter:7",
        kind="analyse-newsletter",
        tenant="1",
        payload={},
        attempt=3,
        crashes=0,
        dispatch=1,
        error=Failure(error_class, message, ""),
        died_at=datetime(2026, 3, 1, 12, tzinfo=UTC),
        trace_context=None,
    )


def list_fields(text: str) -> list[str]:
    return sorted(name for _, name, _, _ in string.Formatter().parse(text) if name)


def test_every_text_holds_the_same_things_in_every_language() -> None:
    english = dataclasses.asdict(NOTICE_WORDINGS["en"])
    for language, wording in NOTICE_WORDINGS.items():
        for name, text in dataclasses.asdict(wording).items():
            assert text, (language, name)
            assert list_fields(text) == list_fields(english[name]), (language, name)


def test_a_notice_in_french_is_french_throughout() -> None:
    new = describe_invalid(make_dead(), 7, NEWSLETTER, "fr")
    notice = Notice(3, new.fault_key, new.subject, new.body, 12, datetime(2026, 3, 1, 11, tzinfo=UTC))
    mail = compose_notice(notice, "ann@example.org", "host", "http://127.0.0.1:8420", "fr")
    assert mail.subject == "[Tournée] Newsletter invalide : Le café du matin"
    assert mail.text.startswith("12 fautes de ce genre depuis 2026-03-01 11:00:00 UTC")
    assert "Dernière erreur\u202f: Rejected: malformed answer" in mail.text
    assert "tournee dead redrive 41" in mail.text
    assert mail.text.endswith("Dans la console\u202f: http://127.0.0.1:8420/jobs/41\n")
    unsynchronised = describe_dead_sync(make_dead(), "Ada", "fr")
    for english in ("such faults", "Sender", "Mailbox", "Last error", "Failed", "Look at", "In the console"):
        assert english not in mail.text + unsynchronised.subject + unsynchronised.body, english


@pytest.mark.parametrize(
    ("error_class", "message"),
    [
        ("pydantic_core.ValidationError", "1 error\n  input_value='Dear Ada, your cancer test'"),
        ("ValueError", "invalid literal: 'Dear Ada, your cancer test'"),
        ("Rejected", "refused\nDear Ada, your cancer test"),
        ("OutsideUnavailable", "smtp://ada:cancer@mail.example and Bearer cancer-abcdef"),
        ("Rejected", "Authorization: Bearer cancer"),
        ("Rejected", "not an address: cancer@example.org"),
    ],
)
def test_neither_a_secret_nor_what_an_error_quotes_leaves_in_a_notice(error_class: str, message: str) -> None:
    for new in (
        describe_invalid(make_dead(error_class, message), 7, NEWSLETTER),
        describe_dead_sync(make_dead(error_class, message), "Ada"),
    ):
        assert "cancer" not in new.subject + new.body
        assert error_class in new.body


def test_no_address_leaves_in_a_notice() -> None:
    newsletter = dataclasses.replace(NEWSLETTER, subject="For ada@example.org", mailbox="ada@example.org")
    text = describe_invalid(make_dead(), 7, newsletter)
    assert "@" not in text.subject + text.body
    assert "Sender: Daily (daily.example)" in text.body


@pytest.mark.parametrize(
    "text", [repr(LANGUAGES["fr"]), repr(WORDINGS["fr"]), repr(NOTICE_WORDINGS["fr"]), PAGE[PAGE.index('lang="fr"') :]]
)
def test_french_signs_stand_behind_a_space_that_does_not_break(text: str) -> None:
    shown = text.replace("\\u202f", "\u202f")
    assert not re.findall(r"\w [:;?!»](?=\s|$)|« ", shown)
    assert not re.findall(r"[a-z]'[a-zà-ü]", shown.replace("={'", ""))
