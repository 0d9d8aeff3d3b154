"""Builds the sample mailbox: the same seed gives the same bytes in the same files, on every machine."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from tournee_sandbox.mailbox.correspondence import write_correspondence
from tournee_sandbox.mailbox.damage import draw_picture
from tournee_sandbox.mailbox.filing import file_mails
from tournee_sandbox.mailbox.newsletters import write_newsletters
from tournee_sandbox.mailbox.sample import SampleMail, SampleMailbox, Search

DUPLICATED_ISSUE = "potting-shed/42"

SEARCHES = (
    Search("wool slugs", "potting-shed/41"),
    Search("levain", "mie-du-matin/12"),
    Search("pizzaïolo four", "mie-du-matin/14"),
    Search("Wärmenetz", "rathausrunde/17"),
    Search("saxophone river", "blue-hour/8"),
    Search("dérailleur", "petit-braquet/88"),
    Search("derailleur", "petit-braquet/88"),
    Search("Siebenschläfer", "sternwarte/6"),
    Search("girafe", "le-passeur/7"),
    Search("chauves-souris", "le-passeur/5"),
    Search("Kartoffelpuffer", "freie-zeilen/79"),
    Search("saxophne", "blue-hour/8", mended=True),
    Search("Siebenschlafer", "sternwarte/6"),
    Search("octopuss", "small-telescope/63", mended=True),
)


class FolderNotEmpty(Exception):
    """The sample is written into an empty folder only: what lies there would be imported with it."""


def build_mails(seed: int = 0) -> list[SampleMail]:
    """All mails of the sample. `seed` changes the readers' tokens, nothing that a reader sees."""
    newsletters = write_newsletters(seed)
    twice = next(mail for mail in newsletters if mail.issue == DUPLICATED_ISSUE)
    copy = replace(twice, oddity="the same bytes as another file")
    return [*newsletters, copy, *write_correspondence(), _draw_file_that_is_no_mail()]


def write_sample_mailbox(folder: Path, seed: int = 0) -> SampleMailbox:
    """Write the sample under `folder`, which must be empty or absent. Answers what is to be expected of it."""
    if folder.exists() and any(folder.iterdir()):
        raise FolderNotEmpty(f"{folder} is not empty")
    folder.mkdir(parents=True, exist_ok=True)
    return SampleMailbox(folder, tuple(file_mails(folder, build_mails(seed))), SEARCHES)


def _draw_file_that_is_no_mail() -> SampleMail:
    return SampleMail(
        person="alice",
        raw=draw_picture(),
        message_class="not_mail",
        date=datetime(2026, 11, 1, 12, 0, tzinfo=UTC),
        oddity="a picture under the name of a mail",
    )
