"""The parts of a message: which of them are its body, and what a plain part was before it was sent."""

from __future__ import annotations

import binascii
import time

import pytest

from tournee.pipeline.core.mail.plain_part import is_page, take_out_files, unflow
from tournee.pipeline.core.mail.reading import examine_mail, read_mail
from tournee.pipeline.ports import MessageClass

STORY = "The ferry to the island sails again from the first of May, twice a day, and bicycles travel free. "
FLOWED = (
    "The ferry sails again from \r\nMay, twice a day.\r\n\r\n"
    "> Does it take \r\n> bicycles?\r\n> No.\r\n-- \r\nThe harbour\r\n"
)


def build(*parts: tuple[str, str], subtype: str = "alternative", head: str = "") -> bytes:
    """A multipart message of (content type, body)."""
    lines = [f"From: a@example.org\nSubject: x\n{head}Content-Type: multipart/{subtype}; boundary=b\n"]
    lines += [f"--b\nContent-Type: {content_type}\n\n{body}\n" for content_type, body in parts]
    return "\n".join([*lines, "--b--\n"]).encode()


def build_plain(body: str, content_type: str = "text/plain; charset=utf-8", encoding: str = "8bit") -> bytes:
    return (
        f"From: a@example.org\r\nSubject: x\r\nContent-Type: {content_type}\r\n"
        f"Content-Transfer-Encoding: {encoding}\r\n\r\n{body}"
    ).encode()


def test_flowed_lines_become_paragraphs() -> None:
    text = examine_mail(build_plain(FLOWED, "text/plain; format=flowed")).text
    assert text.split("\n") == [
        "The ferry sails again from May, twice a day.",
        "",
        "> Does it take bicycles?",
        "> No.",
        "--",
        "The harbour",
    ]


def test_lines_are_kept_where_nothing_says_that_they_flow() -> None:
    assert examine_mail(build_plain(FLOWED)).text.startswith("The ferry sails again from\nMay")


def test_delsp_takes_the_space_away_that_marks_a_soft_break() -> None:
    assert unflow("新しい \n図書館", deletes_space=True) == "新しい図書館"
    assert unflow("new \nlibrary", deletes_space=False) == "new library"


def test_stuffed_spaces_are_taken_off_and_depths_never_join() -> None:
    assert unflow(" From here\n > not quoted\n>> deep \n> shallow", deletes_space=False) == (
        "From here\n> not quoted\n>> deep \n> shallow"
    )


def test_a_flowed_text_joins_nothing_to_the_signature() -> None:
    assert unflow("bye \n-- \nAnna", deletes_space=False) == "bye \n-- \nAnna"


def uuencode(data: bytes, name: str = "boat.jpg") -> str:
    lines = [binascii.b2a_uu(data[at : at + 45]).decode().rstrip("\n") for at in range(0, len(data), 45)]
    return "\n".join([f"begin 644 {name}", *lines, "`", "end"])


def test_files_written_into_a_text_are_attachments() -> None:
    coded = uuencode(bytes(range(200)))
    yenc = "=ybegin line=128 size=9 name=my log.txt\nabc\n=yend size=9"
    text, names = take_out_files(f"Before\n{coded}\nbetween\n{yenc}\nafter")
    assert names == ["boat.jpg", "my log.txt"]
    assert text.split() == ["Before", "between", "after"]


def test_a_file_in_the_body_is_listed() -> None:
    mail = read_mail(build_plain(f"Hello\n{uuencode(b'picture' * 20)}\nBye\n"))
    assert mail.attachments == ("boat.jpg",)
    assert "file inside text taken out" in mail.notes


@pytest.mark.parametrize(
    "body",
    [
        "begin 644 days ago\nthe story went on\nend",
        "begin 644 boat.jpg\n#86)C\n",
        "=ybegin here and now\n=yend",
        "begin the day\nend",
    ],
)
def test_what_only_looks_like_a_file_stays_text(body: str) -> None:
    assert take_out_files(body) == (body, [])


def test_a_text_part_in_uuencode_is_decoded() -> None:
    body = uuencode(STORY.encode(), "letter.txt").replace("\n", "\r\n")
    assert examine_mail(build_plain(body, encoding="x-uuencode")).text == STORY.strip()


def test_blanks_behind_a_soft_break_break_no_word() -> None:
    assert (
        examine_mail(build_plain("caf=C3=A9 and so= \r\nme tea", encoding="quoted-printable")).text
        == "café and some tea"
    )


def test_quoted_printable_is_recognised_where_the_header_forgot_it() -> None:
    body = "caf=C3=A9 on the ha=\r\nrbour, open un=\r\ntil ten, wal=\r\nk in"
    assert examine_mail(build_plain(body, encoding="7bit")).text == "café on the harbour, open until ten, walk in"


def test_equals_signs_of_a_program_are_no_quoted_printable() -> None:
    body = "a=1\r\nb=\r\nc=\r\nd=\r\ne=41\r\n"
    assert "b=" in examine_mail(build_plain(body, encoding="7bit")).text


@pytest.mark.parametrize(
    ("content", "content_type", "expected"),
    [
        ("<!DOCTYPE html><p>a</p>", "text/plain", True),
        ("<p>a</p>\n<p>b</p><p>c</p><p>d</p>", "text/plain", True),
        ("<p>one tag in a letter</p>", "text/plain", False),
        ("<body of evidence> is what I call it", "text/plain", False),
        ("a < b, b > c", "text/html", False),
        ("no tags\nat all", "text/html", False),
        ("<b>bold</b>", "text/html", True),
    ],
)
def test_pages_are_told_by_their_tags(content: str, content_type: str, expected: bool) -> None:
    assert is_page(content, content_type) is expected


def test_plain_text_sent_as_a_page_keeps_its_lines() -> None:
    assert examine_mail(build_plain("one &amp; two\nthree", "text/html")).text == "one & two\nthree"


def test_a_page_wins_over_a_pointer_to_the_browser() -> None:
    raw = build(
        ("text/plain", "View this in your browser: https://example.org/1"), ("text/html", f"<p>{STORY * 3}</p>")
    )
    assert examine_mail(raw).text.startswith("The ferry")


def test_plain_text_wins_over_a_page_that_says_nothing() -> None:
    raw = build(("text/plain", STORY * 8), ("text/html", "<p>Your mail program shows no pages.</p>"))
    assert examine_mail(raw).text.startswith("The ferry")


def test_a_short_page_stays_beside_a_plain_text_as_short() -> None:
    raw = build(("text/plain", "Hello plain"), ("text/html", "<p>Hello page</p>"))
    assert examine_mail(raw).text == "Hello page"


@pytest.mark.parametrize("last", [True, False])
def test_an_amp_page_never_wins(last: bool) -> None:
    parts = [("text/plain", "plain"), ("text/html", f"<p>{STORY}</p>")]
    parts.insert(2 if last else 1, ("text/x-amp-html", "<!doctype html><html amp4email><body>live</body></html>"))
    assert examine_mail(build(*parts)).text == STORY.strip()


def test_an_amp_page_alone_is_better_than_nothing() -> None:
    raw = build(("text/x-amp-html", f"<!doctype html><html amp4email><body><p>{STORY}</p></body></html>"))
    assert examine_mail(raw).text == STORY.strip()


def test_an_invitation_is_attached_not_read() -> None:
    raw = build(
        ("text/plain", STORY), ("text/calendar; name=meet.ics", "BEGIN:VCALENDAR\nEND:VCALENDAR"), subtype="mixed"
    )
    assert examine_mail(raw).text == STORY.strip()
    assert read_mail(raw).attachments == ("meet.ics",)


def test_outlook_s_container_is_attached_not_read() -> None:
    raw = build(("text/plain", STORY), ("application/ms-tnef; name=winmail.dat", "eJ8+Ig=="), subtype="mixed")
    assert read_mail(raw).attachments == ("winmail.dat",)
    assert examine_mail(raw).text == STORY.strip()


def test_a_message_forwarded_without_a_word_is_read() -> None:
    enclosed = f"From: news@example.org\nSubject: Harbour news\nContent-Type: text/plain\n\n{STORY}"
    raw = build(("text/plain", " "), ("message/rfc822", enclosed), subtype="mixed")
    assert examine_mail(raw).text == STORY.strip()


def test_a_message_enclosed_beside_words_is_an_attachment() -> None:
    enclosed = f"From: news@example.org\nSubject: Harbour news\nContent-Type: text/plain\n\n{STORY}"
    raw = build(("text/plain", "Look at this!"), ("message/rfc822", enclosed), subtype="mixed")
    assert examine_mail(raw).text == "Look at this!"


def test_the_message_that_bounced_is_not_the_bounce_s_own_text() -> None:
    enclosed = f"From: news@example.org\nSubject: Harbour news\nContent-Type: text/plain\n\n{STORY}"
    raw = build(("message/delivery-status", "Action: failed"), ("message/rfc822", enclosed), subtype="report")
    assert "ferry" not in examine_mail(raw).text


def test_messages_enclosed_in_messages_end_somewhere() -> None:
    raw = b"From: a@example.org\nSubject: x\nContent-Type: message/rfc822\n\n" * 400 + b"Subject: last\n\nhello\n"
    assert read_mail(raw).message_class in (MessageClass.UNPARSABLE, MessageClass.OTHER)


@pytest.mark.parametrize(
    "body",
    ["begin 644 a\n#86)C\n" * 40_000, "=ybegin name=a\n" * 40_000, "<a" * 200_000, " \n" * 300_000, "=\n" * 300_000],
)
def test_hostile_plain_text_takes_no_longer_than_a_limit(body: str) -> None:
    started = time.process_time()
    read_mail(build_plain(body, "text/plain; format=flowed"))
    read_mail(build_plain(body, "text/html"))
    assert time.process_time() - started < 20
