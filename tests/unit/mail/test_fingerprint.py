"""One issue has one hash; two issues never share one."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import pytest

from tests.support.mails import read_corpus
from tournee.pipeline.core.mail.fingerprint import hash_content, strip_personal_url
from tournee.pipeline.ports import Link

ISSUE = "The week in short\n\nPrices rose by 3% in May. Read on at https://example.org/news/prices\n" * 8
_RECIPIENT = re.compile(r"[.-]u[12]\.eml$")


def hash_for(recipient: str, text: str, subject: str = "News 12") -> str:
    return hash_content(subject, text, [recipient])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Hi Anna,\n\n" + ISSUE, "Hi Bernard,\n\n" + ISSUE),
        ("Dear Anna, welcome!\n" + ISSUE, "Dear Bernard, welcome!\n" + ISSUE),
        ("Bonjour Anna,\n" + ISSUE, "Bonjour Bernard !\n" + ISSUE),
        ("Liebe Anna\n" + ISSUE, "Lieber Bernard\n" + ISSUE),
        ("Hola Anna:\n" + ISSUE, "Hola Bernard:\n" + ISSUE),
        (ISSUE + "This mail was sent to anna@example.org", ISSUE + "This mail was sent to b@example.net"),
        (ISSUE + "Unsubscribe: https://e.org/u/8f3a99", ISSUE + "Unsubscribe: https://e.org/u/77aa01"),
        (ISSUE + "Click https://e.org/c/aZ81xQ0pLm?t=1", ISSUE + "Click https://e.org/c/bY72yR9oKn?t=2"),
        (ISSUE + "Sie erhalten diese Mail als Kunde 1", ISSUE + "Sie erhalten diese Mail als Kunde 2"),
        (ISSUE + "a\u200bb \ufb01ne", ISSUE + "a\u200bb   fine"),
        (ISSUE + "anna, this is for you", ISSUE + "bernard, this is for you"),
    ],
)
def test_what_differs_between_recipients_does_not_count(one: str, other: str) -> None:
    assert hash_for("anna", one) == hash_for("bernard", other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (ISSUE, ISSUE.replace("3%", "4%")),
        (ISSUE, ISSUE.replace("May", "June")),
        (ISSUE, ISSUE.replace("news/prices", "news/wages")),
        ("", "Something"),
        ("Unsubscribe here", "Unsubscribe there"),
    ],
)
def test_what_differs_between_issues_counts(one: str, other: str) -> None:
    assert hash_for("anna", one) != hash_for("anna", other)


def test_the_subject_tells_issues_without_text_apart() -> None:
    assert hash_for("a", "", "Comic of 1 May") != hash_for("a", "", "Comic of 2 May")


def test_the_pictures_tell_issues_without_text_apart() -> None:
    one, other = (hash_content("Comic", "", (), (), [f"https://e.org/comic-{day}.png"]) for day in ("may1", "may2"))
    assert one != other


def test_links_tell_short_issues_apart_without_their_tokens() -> None:
    def hash_with(url: str) -> str:
        return hash_content("Today", "Read this", (), [Link(url)])

    assert hash_with("https://e.org/story-one?u=1") == hash_with("https://e.org/story-one?u=2")
    assert hash_with("https://e.org/story-one") != hash_with("https://e.org/story-two")


def test_an_address_keeps_what_can_be_read_of_it() -> None:
    url = "https://Example.org/blog/my-post/8f3a99bc01?utm_source=x#part"
    assert strip_personal_url(url) == "example.org/blog/my-post"


def test_the_same_issue_sent_to_two_people_has_one_hash(corpus: Path) -> None:
    pairs: defaultdict[str, list[str]] = defaultdict(list)
    for mail in read_corpus(corpus):
        if _RECIPIENT.search(mail.path):
            pairs[_RECIPIENT.sub("", mail.path)].append(mail.read.content_hash)
    complete = [hashes for hashes in pairs.values() if len(hashes) == 2]
    assert len(complete) == 10
    assert all(first == second != "" for first, second in complete)


def test_two_issues_of_the_corpus_never_share_a_hash(corpus: Path) -> None:
    by_hash: defaultdict[str, set[str]] = defaultdict(set)
    for mail in read_corpus(corpus):
        if mail.row["is_newsletter"] == "yes" and mail.read.content_hash:
            by_hash[mail.read.content_hash].add(_RECIPIENT.sub("", mail.path))
    assert len(by_hash) > 280
    assert [paths for paths in by_hash.values() if len(paths) > 1] == []
