"""The sample mailbox: the same bytes each time, and what it promises about itself is so."""

from __future__ import annotations

import hashlib
import json
import mailbox
import unicodedata
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from tournee.pipeline.core.mail.reading import read_mail
from tournee_sandbox.mailbox import FolderNotEmpty, SampleMailbox, write_sample_mailbox
from tournee_sandbox.mailbox.builder import build_mails
from tournee_sandbox.mailbox.content_loader import load_issues
from tournee_sandbox.mailbox.damage import DAMAGES


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> SampleMailbox:
    return write_sample_mailbox(tmp_path_factory.mktemp("sample") / "mailbox")


def _read_files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_same_seed_gives_the_same_bytes_in_the_same_files(sample: SampleMailbox, tmp_path: Path) -> None:
    again = write_sample_mailbox(tmp_path / "again")
    assert _read_files(again.folder) == _read_files(sample.folder)
    assert again.describe() == sample.describe()


def test_the_bytes_are_those_that_were_released() -> None:
    digest = hashlib.sha256(b"".join(mail.raw for mail in build_mails(0))).hexdigest()
    assert digest == "95a61cd854a9cbbb6b4b1a29a02d8e76994b7887ff250f59d50acb07be348db1", (
        "the sample changed: look at the figures in docs/how-to/sandbox.md, then pin it anew"
    )


def test_another_seed_changes_tokens_and_no_expectation(sample: SampleMailbox, tmp_path: Path) -> None:
    other = write_sample_mailbox(tmp_path / "other", seed=7)
    assert _read_files(other.folder) != _read_files(sample.folder)
    assert other.expect_summary() == sample.expect_summary()


def test_a_folder_that_holds_anything_is_refused(tmp_path: Path) -> None:
    (tmp_path / "note").touch()
    with pytest.raises(FolderNotEmpty):
        write_sample_mailbox(tmp_path)


def test_figures_add_up_and_are_large_enough_to_show(sample: SampleMailbox) -> None:
    figures = sample.expect_summary()
    parts = ("newsletters", "confirmations", "others", "unparsable")
    assert figures["messages"] == sum(figures[part] for part in parts) >= 70
    assert figures["newsletters"] == figures["analysed"] + figures["cache_hits"] + figures["invalid"]
    assert figures["cache_hits"] >= 20
    assert (figures["invalid"], figures["dead"], figures["failed"]) == (1, 1, 3)
    assert (figures["not_mail"], figures["duplicates"], figures["lost"]) == (1, 1, 0)
    assert sample.expect_mails_sent()["count"] == figures["notified"] + 1


def test_every_reader_gets_another_copy_of_an_issue(sample: SampleMailbox) -> None:
    copies = defaultdict(list)
    for filed in sample.filed:
        if filed.mail.issue is not None and not filed.duplicate:
            copies[filed.mail.issue].append(filed.mail)
    for mails in copies.values():
        assert len({mail.raw for mail in mails}) == len({mail.message_id for mail in mails}) == len(mails)


def test_twelve_publishers_write_in_three_languages() -> None:
    publishers = {issue.publisher.key: issue.publisher for issue in load_issues()}
    assert len(publishers) >= 12
    assert {publisher.language for publisher in publishers.values()} == {"en", "fr", "de"}
    assert {publisher.layout for publisher in publishers.values()} == {"letter", "table", "digest", "plain", "markdown"}
    assert {"utf-8", "iso-8859-1", "iso-8859-15", "windows-1252"} <= {p.charset for p in publishers.values()}
    assert all(publisher.host.endswith(".example") for publisher in publishers.values())


def test_every_kind_of_damage_occurs_once() -> None:
    assert Counter(issue.damage for issue in load_issues() if issue.damage) == Counter(dict.fromkeys(DAMAGES, 1))


def test_files_hold_what_the_expectations_say(sample: SampleMailbox) -> None:
    box = mailbox.mbox(sample.folder / "chloe/archive.mbox", create=False)
    archived = {str(number): box.get_bytes(key) for number, key in enumerate(box.keys(), start=1)}
    box.close()
    assert len(archived) == sum("#" in filed.path for filed in sample.filed)
    for filed, described in zip(sample.filed, sample.describe()["mails"], strict=True):
        path, _, number = filed.path.partition("#")
        if number:
            found = archived[number].replace(b"\n>From ", b"\nFrom ")
            assert found.rstrip(b"\n") == filed.stored.rstrip(b"\n")
        else:
            assert hashlib.sha256((sample.folder / path).read_bytes()).hexdigest() == described["sha256"]


def test_maildir_is_read_by_the_standard_library(sample: SampleMailbox) -> None:
    maildir = mailbox.Maildir(sample.folder / "dieter/Maildir", create=False)
    assert len(maildir) == sum(filed.mail.person == "dieter" for filed in sample.filed)


def test_expectations_are_one_json_object(sample: SampleMailbox) -> None:
    described = json.loads(json.dumps(sample.describe()))
    assert described["summary"] == dict(sample.expect_summary())
    assert len(described["mails"]) == len(sample.filed)
    (failing,) = described["failing_message_ids"]
    assert [mail["message_id"] for mail in described["mails"] if mail["planted_failure"]] == [failing]


def test_searches_name_issues_that_are_found_by_their_words(sample: SampleMailbox) -> None:
    issues = {issue.key: issue for issue in load_issues() if not issue.planted_failure}
    for search in sample.searches:
        issue = issues[search.issue]
        text = _fold(" ".join([issue.subject, issue.intro, *(f"{item.title} {item.text}" for item in issue.items)]))
        held = all(_fold(word) in text for word in search.query.split())
        assert held != search.mended, search.query


def _fold(text: str) -> str:
    return unicodedata.normalize("NFKD", text.casefold()).encode("ascii", "ignore").decode()


def test_the_reader_classes_each_mail_as_its_author_meant(sample: SampleMailbox) -> None:
    expected = {
        filed.path: filed.mail.message_class for filed in sample.filed if filed.mail.message_class != "not_mail"
    }
    found = {filed.path: str(read_mail(filed.stored).message_class) for filed in sample.filed if filed.path in expected}
    assert found == expected


def test_one_issue_has_one_content_hash_and_shares_it_with_no_other(sample: SampleMailbox) -> None:
    hashes = defaultdict(set)
    for filed in sample.filed:
        if filed.mail.issue is not None:
            hashes[filed.mail.issue].add(read_mail(filed.stored).content_hash)
    assert {issue: found for issue, found in hashes.items() if len(found) != 1} == {}
    assert len({content_hash for found in hashes.values() for content_hash in found}) == len(hashes)


def test_the_reader_sees_subject_language_and_id_of_each_newsletter(sample: SampleMailbox) -> None:
    for filed in sample.filed:
        mail = filed.mail
        if mail.message_class != "newsletter":
            continue
        read = read_mail(filed.stored)
        assert (read.subject, read.message_id) == (mail.subject, mail.message_id), filed.path
        assert mail.language is None or read.language == mail.language, filed.path
        assert "\x00" not in read.text
