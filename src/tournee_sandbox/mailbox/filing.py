"""The mails as files: a folder for each person, kept as that person keeps mail.

Loose files keep the CRLF of the wire; an mbox and a Maildir have LF, as delivery agents write them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from tournee_sandbox.mailbox.people import PEOPLE, Person
from tournee_sandbox.mailbox.sample import FiledMail, SampleMail

_FROM_LINE = re.compile(rb"^(>*From )", re.MULTILINE)
_LONGEST_NAME = 48


def file_mails(folder: Path, mails: Sequence[SampleMail]) -> list[FiledMail]:
    """Write all mails under `folder`; a mail with the same bytes as one before it in a folder is filed as its copy."""
    filed: list[FiledMail] = []
    keepings = {"files": _file_loose, "months": _file_loose, "mbox": _file_in_mbox, "maildir": _file_in_maildir}
    for person in PEOPLE.values():
        theirs = sorted((mail for mail in mails if mail.person == person.key), key=lambda mail: mail.date)
        filed += keepings[person.keeping](folder, person, theirs)
    return filed


def _file_loose(folder: Path, person: Person, mails: Sequence[SampleMail]) -> list[FiledMail]:
    filed: list[FiledMail] = []
    seen: set[bytes] = set()
    for number, mail in enumerate(mails, start=1):
        month = f"{mail.date:%Y-%m}/" if person.keeping == "months" else ""
        name = "IMG_2041.eml" if mail.message_class == "not_mail" else f"{number:03d}-{_make_slug(mail.subject)}.eml"
        path = folder / person.key / f"{month}{name}"
        _write(path, mail.raw)
        filed.append(FiledMail(str(path.relative_to(folder)), mail, mail.raw, duplicate=mail.raw in seen))
        seen.add(mail.raw)
    return filed


def _file_in_mbox(folder: Path, person: Person, mails: Sequence[SampleMail]) -> list[FiledMail]:
    path = folder / person.key / "archive.mbox"
    written = [
        b"From MAILER-DAEMON %s\n%s\n" % (mail.date.strftime("%a %b %d %H:%M:%S %Y").encode(), _quote(mail))
        for mail in mails
    ]
    _write(path, b"".join(written))
    relative = path.relative_to(folder)
    return [FiledMail(f"{relative}#{number}", mail, _to_unix(mail.raw)) for number, mail in enumerate(mails, start=1)]


def _file_in_maildir(folder: Path, person: Person, mails: Sequence[SampleMail]) -> list[FiledMail]:
    """The last five are new, all others were read."""
    for part in ("cur", "new", "tmp"):
        (folder / person.key / "Maildir" / part).mkdir(parents=True, exist_ok=True)
    filed = []
    for number, mail in enumerate(mails, start=1):
        base = f"{int(mail.date.timestamp())}.M{number:06d}P100.post"
        where = f"new/{base}" if number > len(mails) - 5 else f"cur/{base}:2,S"
        path = folder / person.key / "Maildir" / where
        _write(path, _to_unix(mail.raw))
        filed.append(FiledMail(str(path.relative_to(folder)), mail, _to_unix(mail.raw)))
    return filed


def _quote(mail: SampleMail) -> bytes:
    """As mboxrd has it: a line that begins with From gets a `>`."""
    unix = _to_unix(mail.raw)
    return _FROM_LINE.sub(rb">\1", unix if unix.endswith(b"\n") else unix + b"\n")


def _to_unix(raw: bytes) -> bytes:
    return raw.replace(b"\r\n", b"\n")


def _make_slug(subject: str | None) -> str:
    plain = unicodedata.normalize("NFKD", subject or "mail").encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:_LONGEST_NAME].strip("-")


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
