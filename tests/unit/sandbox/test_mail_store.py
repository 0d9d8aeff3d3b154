"""What the SMTP simulator keeps, and what a crash leaves of it."""

from __future__ import annotations

import asyncio
import hashlib
import json
from pathlib import Path

import pytest

from tournee_sandbox.journal import FolderInUse
from tournee_sandbox.smtp.mail_store import MailStore


def _mail(message_id: str, subject: str = "=?utf-8?b?w4l0w6k=?=") -> bytes:
    return f"Message-ID: {message_id}\r\nSubject: {subject}\r\n\r\nText\r\n".encode()


async def test_a_mail_is_on_disk_with_its_digest_when_add_returns(tmp_path: Path) -> None:
    store = MailStore(tmp_path)
    store.open()
    mail = await store.add(_mail("<1@x.example>"), "a@x.example", ["b@x.example"])
    (line,) = (tmp_path / "mails.jsonl").read_text().splitlines()
    assert json.loads(line)["sha256"] == mail.sha256 == hashlib.sha256(_mail("<1@x.example>")).hexdigest()
    assert (tmp_path / mail.file).read_bytes() == _mail("<1@x.example>")
    assert (mail.number, mail.message_id, mail.subject) == (1, "<1@x.example>", "Été")
    await store.close()


async def test_mails_that_come_together_are_all_kept_and_numbered_once(tmp_path: Path) -> None:
    store = MailStore(tmp_path)
    store.open()
    mails = await asyncio.gather(*(store.add(_mail(f"<{n}@x.example>"), "a", ["b"]) for n in range(200)))
    assert sorted(mail.number for mail in mails) == list(range(1, 201))
    assert len((tmp_path / "mails.jsonl").read_text().splitlines()) == 200
    await store.close()


async def test_the_next_start_reads_what_was_kept_and_cuts_a_torn_line(tmp_path: Path) -> None:
    store = MailStore(tmp_path)
    store.open()
    kept = await store.add(_mail("<1@x.example>"), "a", ["b"])
    await store.close()
    with (tmp_path / "mails.jsonl").open("ab") as handle:
        handle.write(b'{"number": 2, "message_id": "<2@x')
    again = MailStore(tmp_path)
    again.open()
    assert [mail.message_id for mail in again.mails] == [kept.message_id]
    assert (await again.add(_mail("<3@x.example>"), "a", ["b"])).number == 2
    await again.close()
    assert [json.loads(line)["number"] for line in (tmp_path / "mails.jsonl").read_text().splitlines()] == [1, 2]


async def test_a_second_sandbox_in_one_folder_is_refused(tmp_path: Path) -> None:
    store, second = MailStore(tmp_path), MailStore(tmp_path)
    store.open()
    with pytest.raises(FolderInUse):
        second.open()
    await store.close()


@pytest.mark.parametrize("subject", ["=?x-none?q?a?=", "=?utf-8?b?/////w==?=", "\x80 raw", "=?utf-8?b?a?="])
async def test_a_header_that_cannot_be_decoded_is_kept_as_it_stands(subject: str, tmp_path: Path) -> None:
    store = MailStore(tmp_path)
    store.open()
    mail = await store.add(_mail("<1@x.example>", subject), "a", ["b"])
    assert mail.subject
    assert len((tmp_path / "mails.jsonl").read_text().splitlines()) == 1
    await store.close()


async def test_a_disk_that_refuses_is_told_to_the_sender_and_leaves_no_line(tmp_path: Path) -> None:
    store = MailStore(tmp_path)
    store.open()
    (tmp_path / "eml").rmdir()
    with pytest.raises(OSError):
        await store.add(_mail("<1@x.example>"), "a", ["b"])
    assert (tmp_path / "mails.jsonl").read_bytes() == b""
    (tmp_path / "eml").mkdir()
    assert (await store.add(_mail("<1@x.example>"), "a", ["b"])).number == 1
    await store.close()


async def test_repeats_count_the_message_ids_that_came_more_than_once(tmp_path: Path) -> None:
    store = MailStore(tmp_path)
    store.open()
    for name in ("1", "2", "1", "1"):
        await store.add(_mail(f"<{name}@x.example>"), "a", ["b"])
    assert store.count_repeats() == {"<1@x.example>": 3}
    await store.close()
