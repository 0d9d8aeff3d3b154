"""The messages of an mbox."""

from __future__ import annotations

import io

from tournee.pipeline.core.mail.mbox import is_mbox, split_mbox

FRAME = b"From a@example.org Thu Dec  2 10:55:56 2004\n"


def split(data: bytes, **limits: int) -> list[bytes]:
    return list(split_mbox(io.BytesIO(data), **limits))


def test_messages_come_one_by_one_without_their_frame() -> None:
    first, second = b"Subject: one\n\nbody\n", b"Subject: two\n\nbody\n"
    assert split(FRAME + first + b"\n" + FRAME + second + b"\n") == [first, second]


def test_a_single_message_with_a_from_line_is_one_mail() -> None:
    assert split(FRAME + b"Subject: one\n\nFrom here on it is text.\n\nFrom me\n") == [
        b"Subject: one\n\nFrom here on it is text.\n\nFrom me\n"
    ]


def test_a_file_that_is_no_mbox_comes_whole() -> None:
    data = b"\nSubject: one\n\nbody\n\n" + FRAME + b"Subject: two\n"
    assert split(data) == [data]
    assert not is_mbox(data)
    assert is_mbox(FRAME)


def test_a_quoted_line_is_unquoted() -> None:
    assert split(FRAME + b"Subject: one\n\n>From the start\n>>From\n") == [b"Subject: one\n\nFrom the start\n>>From\n"]


def test_a_separator_within_a_text_splits_only_before_a_header() -> None:
    text = b"Subject: one\n\nbody\n\n" + FRAME + b"no field here, just text\n"
    assert split(FRAME + text) == [text]


def test_of_a_message_above_the_limit_the_beginning_is_handed_out() -> None:
    large = b"Subject: one\n\n" + b"x" * 1000 + b"\n"
    messages = split(FRAME + large + b"\n" + FRAME + b"Subject: two\n\nbody\n", message_bytes=100)
    assert [len(message) for message in messages] == [101, 19]


def test_an_empty_file_has_no_message() -> None:
    assert split(b"") == []


def test_thousands_of_messages_stream() -> None:
    data = b"".join(FRAME + b"Subject: %d\n\nbody\n\n" % number for number in range(3000))
    assert sum(1 for _ in split_mbox(io.BytesIO(data))) == 3000
