"""What an import sees: mail by content, everything else by name and reason."""

from __future__ import annotations

import hashlib
import os
import pwd
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.folders import open_folder
from tournee.pipeline.core.mail.limits import MESSAGE_BYTES
from tournee.pipeline.importing import walk
from tournee.pipeline.importing.walk import NotMail, walk_batches, walk_items
from tournee.pipeline.store.imports import StagedMail

MAIL = b"From: a@example.org\r\nSubject: one\r\n\r\nbody\r\n"


def list_mails(path: Path) -> list[StagedMail]:
    return [item for item in walk_items(path) if isinstance(item, StagedMail)]


BOUNDLESS = Path("/proc/kmsg")
"""A regular file to all that `stat` says; reading it waits for the kernel's next word."""


@pytest.mark.skipif(not BOUNDLESS.is_file(), reason="no such file on this system")
@pytest.mark.timeout(60)
def test_a_file_that_claims_no_bytes_is_not_read() -> None:
    assert list_others(BOUNDLESS) == [NotMail("kmsg", "empty")]


def list_others(path: Path) -> list[NotMail]:
    return [item for item in walk_items(path) if isinstance(item, NotMail)]


def test_mail_is_recognised_by_content_and_not_by_name(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "no-suffix").write_bytes(MAIL)
    (tmp_path / "picture.eml").write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / "empty.eml").write_bytes(b"")
    [mail] = list_mails(tmp_path)
    assert mail.name == "deep/er/no-suffix"
    assert mail.sha256 == hashlib.sha256(MAIL).digest()
    assert zlib.decompress(mail.raw) == MAIL
    assert [(other.name, other.reason) for other in list_others(tmp_path)] == [
        ("empty.eml", "empty"),
        ("picture.eml", "no header field at its start"),
    ]


def test_an_mbox_gives_one_mail_per_message(tmp_path: Path) -> None:
    frame = b"From a@example.org Thu Jan  1 00:00:00 2026\n"
    (tmp_path / "box").write_bytes(frame + MAIL + b"\n" + frame + MAIL.replace(b"one", b"two") + b"\n")
    mails = list_mails(tmp_path / "box")
    assert [mail.name for mail in mails] == ["box#1", "box#2"]
    assert [b"two" in zlib.decompress(mail.raw) for mail in mails] == [False, True]


def test_a_maildir_gives_what_was_delivered(tmp_path: Path) -> None:
    for folder in ("cur", "new", "tmp"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"1.{folder}.host").write_bytes(MAIL.replace(b"one", folder.encode()))
    assert [mail.name for mail in list_mails(tmp_path)] == ["new/1.new.host", "cur/1.cur.host"]


def make_maildir(folder: Path, where: str) -> list[Path]:
    for name in ("cur", "new", "tmp"):
        (folder / name).mkdir(parents=True)
    mails = [folder / where / f"{number}.host" for number in range(4)]
    for mail in mails:
        mail.write_bytes(MAIL.replace(b"one", mail.name.encode()))
    return mails


@pytest.mark.parametrize("inside", ["", "new"])
def test_mails_that_are_read_by_somebody_while_a_maildir_is_walked_are_seen_once_each(
    tmp_path: Path, inside: str
) -> None:
    mails = make_maildir(tmp_path / "box", "new")
    seen = []
    for item in walk_items(tmp_path / "box" / inside):
        seen.append(item)
        # Listed by now, and moved before they are read.
        for mail in mails[1:]:
            if mail.exists():
                mail.rename(tmp_path / "box" / "cur" / f"{mail.name}:2,S")
    assert all(isinstance(item, StagedMail) for item in seen), seen
    assert len(seen) == len({item.sha256 for item in seen if isinstance(item, StagedMail)}) == len(mails)


def test_mails_that_are_moved_before_a_maildir_s_new_folder_is_listed_are_seen(tmp_path: Path) -> None:
    old = tmp_path / "box" / "cur" / "0.before"
    mails = make_maildir(tmp_path / "box", "new")
    old.write_bytes(MAIL)
    (tmp_path / "a").write_bytes(MAIL)
    seen = []
    for item in walk_items(tmp_path):
        seen.append(item)
        if len(seen) == 1:
            for mail in mails:
                mail.rename(old.parent / f"{mail.name}:2,S")
    assert [item.name for item in seen] == ["a", "box/cur/0.before", *(f"box/cur/{mail.name}:2,S" for mail in mails)]


def test_mails_whose_flags_change_while_a_maildir_is_walked_are_seen_once_each(tmp_path: Path) -> None:
    mails = make_maildir(tmp_path / "box", "cur")
    seen = []
    for item in walk_items(tmp_path / "box"):
        seen.append(item)
        for mail in mails[1:]:
            if mail.exists():
                mail.rename(mail.with_name(f"{mail.name}:2,FS"))
    assert [item.name for item in seen if isinstance(item, StagedMail)] == [f"cur/{mail.name}" for mail in mails]


def test_a_mail_that_is_deleted_while_a_maildir_is_walked_is_named(tmp_path: Path) -> None:
    mails = make_maildir(tmp_path / "box", "cur")
    seen = []
    for item in walk_items(tmp_path / "box"):
        seen.append(item)
        mails[-1].unlink(missing_ok=True)
    assert seen[-1] == NotMail("cur/3.host", "can't be read: No such file or directory")


@contextmanager
def be_nobody() -> Iterator[None]:
    """Root may read everything, so it is somebody else for the moment."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(pwd.getpwnam("nobody").pw_uid)
    try:
        yield
    finally:
        os.seteuid(0)


def test_what_we_may_not_read_is_named_and_the_rest_is_taken() -> None:
    with open_folder("tournee walk") as folder:
        for name in ("closed", "open"):
            (folder / name).mkdir()
            (folder / name / "mail").write_bytes(MAIL)
        (folder / "secret").write_bytes(MAIL)
        (folder / "closed").chmod(0o000)
        (folder / "secret").chmod(0o000)
        folder.chmod(0o755)
        try:
            with be_nobody():
                seen = list(walk_items(folder))
        finally:
            (folder / "closed").chmod(0o700)
    assert [item.name for item in seen if isinstance(item, StagedMail)] == ["open/mail"]
    assert [item for item in seen if isinstance(item, NotMail)] == [
        NotMail("secret", "can't be read: Permission denied"),
        NotMail("closed", "a folder that can't be read"),
    ]


def test_a_folder_named_tmp_outside_a_maildir_is_walked(tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    (tmp_path / "tmp" / "mail").write_bytes(MAIL)
    assert len(list_mails(tmp_path)) == 1


@pytest.mark.timeout(10)
def test_what_is_no_regular_file_is_named_and_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "linked").symlink_to(tmp_path / "folder")
    (tmp_path / "nowhere").symlink_to(tmp_path / "missing")
    reasons = {other.name: other.reason for other in list_others(tmp_path)}
    assert reasons["pipe"] == "no regular file"
    assert reasons["linked"] == "a link to a folder is not followed"
    assert reasons["nowhere"].startswith("can't be read: ")


def test_a_name_that_is_no_text_is_marked(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.eml")).write_bytes(MAIL)
    [mail] = list_mails(tmp_path)
    assert mail.name == "\ufffd.eml"


def test_an_oversized_mail_is_cut_but_known_by_the_whole(tmp_path: Path) -> None:
    huge = MAIL + b"x" * (MESSAGE_BYTES + 10)
    (tmp_path / "huge").write_bytes(huge)
    [mail] = list_mails(tmp_path)
    assert mail.size == len(huge)
    assert mail.sha256 == hashlib.sha256(huge).digest()
    assert len(zlib.decompress(mail.raw)) == MESSAGE_BYTES + 1


def test_batches_are_bounded_and_lose_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "BATCH_MAILS", 3)
    for number in range(7):
        (tmp_path / f"{number}").write_bytes(MAIL.replace(b"one", b"%d" % number) if number % 2 else b"no mail")
    batches = list(walk_batches(tmp_path))
    assert [batch.seen for batch in batches] == [3, 3, 1]
    assert sum(len(batch.not_mail) for batch in batches) == 4
