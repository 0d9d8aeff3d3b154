"""What is a mail, by its content."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.mails import read_corpus
from tournee.pipeline.core.mail.header_block import find_header_block, is_mail


@pytest.mark.parametrize(
    "data",
    [
        b"Subject: hello\n\nbody",
        b"From: a@example.org\r\n\r\n",
        b"\xef\xbb\xbfFrom: a@example.org\n\n",
        b"From a@example.org Thu Dec  2 10:55:56 2004\nSubject: hello\n\nbody",
        b"\n   \n\nReceived: by example.org\nSubject: hello\n\nbody",
        b"HELO example.com\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.org>\r\nDATA\r\nSubject: x\r\n\r\nbody",
        b"From  : John\nTo    : Mary\n\nhi",
        b"Received: by x\nquite Delivered-To: y\nSubject: z\n\nbody",
        b"Foo-Bar: odd, but a header field\n\nbody",
        b"Date: Mon, 1 Jan 2024 00:00:00 +0000\n\nbody",
        b"Subject: no body at all",
    ],
)
def test_a_header_block_at_the_start_makes_a_mail(data: bytes) -> None:
    assert is_mail(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n\n\n",
        b"Lorem ipsum dolor sit amet,\nconsectetur: adipisicing elit\n",
        b"Title: This Week\nDate: 2013-06-07\nCategory: News\n\n# Heading\n",
        b"@title = 'June'\n\nText\n",
        b'#use wml::debian::weeklynews::header PUBDATE="2004-05-11"\n\n<p>Text</p>',
        b"<!DOCTYPE html>\n<html>",
        b'{"From": "json"}\n',
        b"http://example.org/\n",
        b"Note: a sentence that starts like a field.\n\nAnd goes on.",
        b"version: 1\nservices:\n  web: x\n",
        b"\x89PNG\r\n\x1a\n\x00\x00",
        b"Dear all,\nFrom: is a word here\n",
        b"x" * 70_000 + b"\nSubject: too late\n\n",
    ],
)
def test_what_has_no_header_block_is_no_mail(data: bytes) -> None:
    assert not is_mail(data)


def test_a_spoilt_line_among_fields_is_folded_into_its_neighbour() -> None:
    block = find_header_block(b"Received: by x\nspoilt line\nSubject : z\n\nbody")
    assert block.mended == b"Received: by x\n spoilt line\nSubject: z\n"
    assert block.names == (b"received", b"subject")


def test_of_the_corpus_only_files_without_any_header_are_no_mail(corpus: Path) -> None:
    refused = {mail.path.rsplit("/", 1)[-1] for mail in read_corpus(corpus) if mail.is_raw and not is_mail(mail.raw)}
    assert refused == {"lorem-ipsum.eml", "sample_output_multipart.eml", "msg_19.txt"}
    taken = [mail.path for mail in read_corpus(corpus) if not mail.is_raw and is_mail(mail.raw)]
    assert taken == []
