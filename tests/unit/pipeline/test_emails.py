"""What is sent is escaped, in the reader's language, and bears the same id when it is sent again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tournee.pipeline.core.emails import Alert, Notice, compose_alert, compose_notice
from tournee.pipeline.core.wording import WORDINGS
from tournee.pipeline.ports import KeyLink

ALERT = Alert(
    delivery_id=7,
    target="reader@example.org",
    language="en",
    mailbox="import",
    title="Issue <1> & more",
    sender="The <b>Daily</b> <daily@example.org>",
    summary="First <script>alert(1)</script>.\nSecond.",
    summary_language="en",
    topics=("rust", "<i>"),
    key_links=(KeyLink('https://example.org/?a=1&b="2"', "Why <not>"), KeyLink("javascript:alert(1)", "never")),
    reading_minutes=4,
    why={},
)


def test_what_strangers_wrote_is_escaped_in_html() -> None:
    html = compose_alert(ALERT, "tournee.example").html or ""
    assert "<script>" not in html
    assert "<b>" not in html
    assert "<i>" not in html
    assert "Issue &lt;1&gt; &amp; more" in html
    assert 'href="https://example.org/?a=1&amp;b=&quot;2&quot;"' in html


def test_only_web_links_become_links() -> None:
    email = compose_alert(ALERT, "tournee.example")
    assert "javascript:" not in email.text
    assert "javascript:" not in (email.html or "")


def test_the_subject_names_the_sender_without_the_address() -> None:
    email = compose_alert(replace(ALERT, title="Tides", sender="Harbour Post <news@harbour.example>"), "h")
    assert email.subject == "Tides – Harbour Post"
    assert "Harbour Post <news@harbour.example>" in email.text


@pytest.mark.parametrize("nasty", ["a\r\nBcc: victim@example.org", "a\x00b", "a\u2028b", "\u202eevil", "\ud800"])
def test_a_title_cannot_break_out_of_the_subject(nasty: str) -> None:
    subject = compose_alert(replace(ALERT, title=nasty), "tournee.example").subject
    assert subject.isprintable()
    assert subject.encode()


def test_a_repeat_bears_the_same_message_id_and_another_delivery_does_not() -> None:
    first = compose_alert(ALERT, "tournee.example")
    again = compose_alert(replace(ALERT, title="changed meanwhile"), "tournee.example")
    other = compose_alert(replace(ALERT, delivery_id=8), "tournee.example")
    assert first.message_id == again.message_id
    assert first.message_id != other.message_id
    assert first.message_id.startswith("<delivery-7.")
    assert first.message_id.endswith("@tournee.example>")


def test_an_alert_speaks_its_readers_language() -> None:
    french = compose_alert(replace(ALERT, language="fr", why={"topic": "rust"}), "tournee.example")
    assert "Liens à retenir\u202f:" in french.text
    assert "correspond à votre règle\u202f: sujet «\u202frust\u202f»." in french.text
    assert '<html lang="fr">' in (french.html or "")
    english = compose_alert(replace(ALERT, why={"keyword": "x", "language": "en"}), "tournee.example")
    assert "it matches your rule: keyword “x”, language “en”." in english.text


def test_the_default_rule_says_that_every_newsletter_is_announced() -> None:
    assert "each newsletter in your mailbox “import”" in compose_alert(ALERT, "tournee.example").text


def test_an_issue_without_title_or_text_still_makes_an_alert() -> None:
    email = compose_alert(replace(ALERT, title=" ", sender="", summary="", topics=(), key_links=()), "h")
    assert email.subject == "(untitled)"
    assert "no text to sum up" in email.text


def test_every_language_words_every_criterion() -> None:
    assert {frozenset(wording.criteria) for wording in WORDINGS.values()} == {
        frozenset({"sender", "topic", "keyword", "language"})
    }


def test_two_administrators_get_two_ids_that_stay_the_same() -> None:
    notice = Notice(3, "newsletter-invalid:9:1", "Invalid\nnewsletter", "body")
    one, other = compose_notice(notice, "a@example.org", "h"), compose_notice(notice, "b@example.org", "h")
    assert one.message_id != other.message_id
    assert one == compose_notice(notice, "a@example.org", "h")
    assert one.subject == "[Tournée] Invalid newsletter"
