"""Every message is read, whatever its state."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.mails import make_mail, read_corpus
from tournee.pipeline.core.mail.limits import MESSAGE_BYTES
from tournee.pipeline.core.mail.reading import read_mail
from tournee.pipeline.ports import MessageClass, ReadMail

ISSUE = (
    "Welcome to the 12th issue of our weekly newsletter!\n\n# News\n\n"
    + "We have news for our readers: https://example.org/story/\n\n" * 6
    + "# Unsubscribe\n\nYou are subscribed to this mailing list. Unsubscribe: https://example.org/unsubscribe\n"
)
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def list_texts(mail: ReadMail) -> list[str]:
    texts = [mail.subject, mail.from_name, mail.from_address, mail.text, mail.html, mail.message_id or ""]
    texts += [*mail.attachments, *mail.notes, mail.language]
    texts += [part for link in mail.links for part in (link.url, link.text)]
    return texts + [part for reason in mail.reasons for part in (reason.rule, reason.detail)]


def test_every_mail_of_the_corpus_is_read(corpus: Path) -> None:
    mails = [mail for mail in read_corpus(corpus) if mail.is_raw]
    assert len(mails) == 1156
    assert [mail.path for mail in mails if mail.read.message_class is MessageClass.UNPARSABLE] == []
    assert [mail.path for mail in mails if any(_UNSTORABLE.search(text) for text in list_texts(mail.read))] == []


def test_newsletters_of_the_corpus_have_text_page_and_hash(corpus: Path) -> None:
    kept = [mail for mail in read_corpus(corpus) if mail.read.message_class is MessageClass.NEWSLETTER]
    assert len(kept) > 280
    assert [mail.path for mail in kept if not (mail.read.text and mail.read.html and mail.read.content_hash)] == []


def test_a_newsletter_is_read_in_full() -> None:
    mail = read_mail(
        make_mail(
            ISSUE,
            From='"Weekly News" <news@example.org>',
            Subject="=?utf-8?Q?Weekly_news_n=C2=B0_12?=",
            Date="Mon, 1 Jan 2024 12:00:00 +0100",
            Message_ID="<abc@example.org>",
            List_Unsubscribe="<https://example.org/u>",
        )
    )
    assert mail.message_class is MessageClass.NEWSLETTER
    assert (mail.from_name, mail.from_address) == ("Weekly News", "news@example.org")
    assert mail.subject == "Weekly news n° 12"
    assert mail.sent_at == datetime(2024, 1, 1, 11, tzinfo=UTC)
    assert mail.message_id == "abc@example.org"
    assert mail.language == "en"
    assert [link.url for link in mail.links] == [
        "https://example.org/story/",
        "https://example.org/unsubscribe",
    ]
    assert mail.reasons[0].rule
    assert mail.notes == ()


def test_other_mail_keeps_no_text() -> None:
    mail = read_mail(make_mail("Hi Bob,\n\nshall we meet at 5?\n\nAnna"))
    assert mail.message_class is MessageClass.OTHER
    assert (mail.text, mail.html, mail.links, mail.content_hash) == ("", "", (), "")


def test_the_page_is_read_before_its_plain_text() -> None:
    raw = (
        b"From: a@example.org\nSubject: weekly newsletter no. 3\nList-Unsubscribe: <https://example.org>\n"
        b'Content-Type: multipart/alternative; boundary="b"\n\n--b\nContent-Type: text/plain\n\nplain only\n'
        b"--b\nContent-Type: text/html\n\n<p>page " + b"unsubscribe here, dear readers " * 30 + b"</p>\n--b--\n"
    )
    mail = read_mail(raw)
    assert mail.text.startswith("page unsubscribe")
    assert "plain only" not in mail.text


def test_an_empty_page_yields_to_its_plain_text() -> None:
    raw = (
        b"From: a@example.org\nSubject: weekly newsletter no. 3\nList-Unsubscribe: <https://example.org>\n"
        b'Content-Type: multipart/alternative; boundary="b"\n\n--b\nContent-Type: text/plain\n\n'
        b"plain " + b"unsubscribe here, dear readers " * 30 + b"\n--b\nContent-Type: text/html\n\n<p> </p>\n--b--\n"
    )
    assert read_mail(raw).text.startswith("plain unsubscribe")


def test_attachments_are_listed_not_read() -> None:
    raw = (
        b"From: a@example.org\nSubject: x\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\ntext\n--b\n"
        b'Content-Type: application/pdf\nContent-Disposition: attachment; filename="a\x00b.pdf"\n\n%PDF\n'
        b"--b\nContent-Type: text/html\nContent-Disposition: attachment; filename*=utf-8''%C3%A9.html\n\n"
        b"<p>x</p>\n--b--\n"
    )
    assert read_mail(raw).attachments == ("ab.pdf", "é.html")


@pytest.mark.parametrize("charset", ["zlib", "hex", "idna", "unicode_escape", "x-nothing", "", "utf-16", "utf-7"])
def test_no_charset_stops_the_reader(charset: str) -> None:
    raw = f"From: a@example.org\nContent-Type: text/plain; charset={charset}\n\n".encode() + b"caf\xe9 \\ud800 \xff\x00"
    mail = read_mail(raw)
    assert mail.message_class is MessageClass.OTHER


def test_a_header_can_inject_nothing() -> None:
    mail = read_mail(b"From: a@example.org\nSubject: =?utf-8?q?x=0D=0ABcc:_e@example.net=00?=\n\nhi")
    assert mail.subject == "x Bcc: e@example.net"


@pytest.mark.parametrize(
    ("header", "name", "address"),
    [
        ('"Doe, John" <j@example.org>', "Doe, John", "j@example.org"),
        ("=?iso-8859-1?Q?Ren=E9?= <r@example.org>", "René", "r@example.org"),
        ("j@example.org (John)", "John", "j@example.org"),
        ("John <<j@example.org>>", "John", "j@example.org"),
        ('"A&B"<Online#3.19@example.org>', "A&B", "online#3.19@example.org"),
        ("nobody", "nobody", ""),
        ("<>", "", ""),
    ],
)
def test_senders_are_read_in_any_state(header: str, name: str, address: str) -> None:
    mail = read_mail(make_mail("hi", From=header))
    assert (mail.from_name, mail.from_address) == (name, address)


def test_a_raw_8_bit_header_is_decoded() -> None:
    assert read_mail("From: a@example.org\nSubject: Grün\n\nhi".encode()).subject == "Grün"
    assert read_mail("From: a@example.org\nSubject: Grün\n\nhi".encode("latin-1")).subject == "Grün"


@pytest.mark.parametrize("date", ["", "yesterday", "Mon, 99 Foo 2024", "1 Jan 1900 00:00:00 +0000"])
def test_no_date_is_no_error(date: str) -> None:
    assert read_mail(make_mail("hi", Date=date)).sent_at is None


def nest(depth: int) -> bytes:
    parts = [b'Content-Type: multipart/mixed; boundary="b%d"\n\n--b%d\n' % (level, level) for level in range(depth)]
    return b"From: a@example.org\n" + b"".join(parts) + b"Content-Type: text/plain\n\nhi\n"


def as_page(html: bytes) -> bytes:
    return b"From: a@example.org\nSubject: x\nContent-Type: text/html\n\n" + html


HOSTILE: dict[str, Callable[[], bytes]] = {
    "nested parts": lambda: nest(10_000),
    "many parts": lambda: (
        b"From: a@example.org\nContent-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx\n" * 50_000
    ),
    "many recipients": lambda: b"From: a@example.org\nTo: " + b",\n ".join([b"<u@example.org>"] * 100_000) + b"\n\nhi",
    "many fields": lambda: b"From: a@example.org\n" + b"X-A: b\n" * 50_000 + b"\nhi",
    "deep page": lambda: as_page(b"<div>" * 100_000 + b"x"),
    "deep balanced page": lambda: as_page(b"<div>" * 20_000 + b"</div>" * 20_000),
    "deep tables": lambda: as_page(b"<table><tr><td>" * 4_000 + b"x"),
    "entities": lambda: as_page(b"&amp;&lt;&#x1F600;&NotEqualTilde;" * 50_000),
    "attributes": lambda: as_page(b"<a " + b"".join(b"x%d=1 " % number for number in range(50_000)) + b">x"),
    "unclosed comments": lambda: as_page(b"<!--" * 200_000),
    "style sheet": lambda: as_page(b"<style>" + b"/*a" * 30_000 + b".x{display:none" * 5_000 + b"</style>x"),
    "encoded words": lambda: b"From: a@example.org\nSubject: " + b"=?utf-8?b?QUFB?= " * 5_000 + b"\n\nhi",
    "quotes in a sender": lambda: b"From: " + b'"(' * 10_000 + b"\nSubject: x\n\nhi",
    "parameters": lambda: b"From: a@example.org\nContent-Type: text/plain; " + b'a="b;' * 10_000 + b"\n\nhi",
    "damaged base64": lambda: b"From: a@example.org\nContent-Transfer-Encoding: base64\n\n" + b"!!!QUFB\n==" * 50_000,
    "addresses without an end": lambda: b"From: a@example.org\n\n" + (b"http://x/" + b")" * 1_900 + b" ") * 300,
    "one long line": lambda: b"From: a@example.org\n\n" + b"a" * 3_000_000,
}


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE)
def test_hostile_mail_costs_seconds_at_most(make: Callable[[], bytes]) -> None:
    raw = make()
    started = time.process_time()
    mail = read_mail(raw)
    assert time.process_time() - started < 8
    assert mail.message_class in (MessageClass.OTHER, MessageClass.UNPARSABLE)
    assert mail.message_class is MessageClass.OTHER or mail.notes


def test_a_message_above_the_limit_is_unparsable_and_says_why() -> None:
    mail = read_mail(b"From: a@example.org\n\n" + bytes(MESSAGE_BYTES))
    assert (mail.message_class, mail.notes) == (MessageClass.UNPARSABLE, ("larger than 50 MiB",))


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=2_000))
def test_any_bytes_are_read(data: bytes) -> None:
    mail = read_mail(data)
    assert not any(_UNSTORABLE.search(text) for text in list_texts(mail))


_TOKENS = st.sampled_from(
    [
        *(b"From: a@b.c\n", b"Subject: =?x?q?=ff?=\n", b"\n", b"--b\n", b"--b--\n", b"Date: x\n", b"=?utf-8?b?"),
        *(b"Content-Type: text/html; charset=big5\n", b"Content-Type: multipart/mixed; boundary=b\n"),
        *(b"Content-Type: message/rfc822\n", b"Content-Type: multipart/digest; boundary=b\n"),
        *(b"Content-Transfer-Encoding: base64\n", b"<p style='display:none'>", b"<table><td>", b"</p>"),
        *(b"\xff\xfe", b"\x00", b"unsubscribe newsletter no. 3 ", b"begin 644 x\n"),
    ]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(_TOKENS, max_size=40))
def test_any_arrangement_of_mail_syntax_is_read(tokens: list[bytes]) -> None:
    mail = read_mail(b"".join(tokens))
    assert not any(_UNSTORABLE.search(text) for text in list_texts(mail))
