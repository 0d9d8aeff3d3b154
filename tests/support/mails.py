"""Mails made for a test, and the corpus read once for all tests of a session."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.support.bodies import wrap_body
from tournee.pipeline.core.mail.reading import read_mail
from tournee.pipeline.ports import ReadMail


def make_mail(body: str, subtype: str = "plain", **headers: str) -> bytes:
    """A mail with one part. Underscores in header names stand for hyphens."""
    fields = {"From": "sender@example.org", "To": "reader@example.org", "Subject": "hello"}
    fields.update({name.replace("_", "-"): value for name, value in headers.items()})
    lines = [f"{name}: {value}" for name, value in fields.items() if value]
    lines += ["MIME-Version: 1.0", f"Content-Type: text/{subtype}; charset=utf-8", "Content-Transfer-Encoding: 8bit"]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


@dataclass(frozen=True)
class CorpusMail:
    """One row of the manifest, and how it is read."""

    row: Mapping[str, str]
    raw: bytes
    read: ReadMail

    @property
    def path(self) -> str:
        return self.row["path"]

    @property
    def is_raw(self) -> bool:
        return self.row["kind"] == "eml"


@cache
def read_corpus(folder: Path) -> tuple[CorpusMail, ...]:
    """Every file of the corpus, those without headers wrapped; some seconds, once."""
    with (folder / "MANIFEST.csv").open(newline="", encoding="utf-8") as manifest:
        return tuple(_read_row(folder, row) for row in csv.DictReader(manifest))


def _read_row(folder: Path, row: dict[str, str]) -> CorpusMail:
    raw = (folder / row["path"]).read_bytes()
    mail = raw if row["kind"] == "eml" else wrap_body(raw, row["path"])
    return CorpusMail(row, raw, read_mail(mail))
