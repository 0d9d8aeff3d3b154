"""Mail of ours is known again, or each alert would bring the next one."""

from __future__ import annotations

from datetime import UTC, datetime

from tournee.pipeline.core.mail.reading import read_mail
from tournee.pipeline.core.rfc5322 import compose_message, parse_sender
from tournee.pipeline.ports import Email, MessageClass

LETTER = """The weekly newsletter

View in your browser: https://letters.example/web/7
Three long stories from the harbour, the market and the observatory, and a digest of what else happened this week.

Unsubscribe: https://letters.example/unsubscribe?u=7
"""


def test_an_alert_of_ours_is_no_newsletter_though_it_reads_like_one() -> None:
    email = Email("<delivery-7.abc@tournee.example>", "reader@post.example", "Weekly newsletter", LETTER)
    raw = compose_message(email, parse_sender("Tournée <tournee@tournee.example>"), datetime.now(UTC)).content
    mail = read_mail(raw)
    assert mail.message_class is MessageClass.OTHER
    assert [reason.rule for reason in mail.reasons] == ["our-own-mail"]


def test_the_mark_of_another_program_says_nothing() -> None:
    marked = b"X-Loop: somebody@else.example\r\nList-Unsubscribe: <https://letters.example/u>\r\n"
    head = b"From: Letters <news@letters.example>\r\nSubject: Weekly letter 7\r\nList-Id: <weekly.letters.example>\r\n"
    mail = read_mail(head + marked + b"\r\n" + LETTER.encode())
    assert mail.message_class is MessageClass.NEWSLETTER
