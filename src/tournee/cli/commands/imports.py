"""`tournee import`: a folder of mails, an mbox or a Maildir through the whole pipeline."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from tournee.cli.options import Json
from tournee.reports import ImportReport

Source = Annotated[
    Path, typer.Argument(metavar="PATH", help="A folder of mails (walked through), an mbox or a Maildir.")
]
Mailbox = Annotated[str, typer.Option(metavar="NAME", help="The mailbox that the mails go to.")]
Notify = Annotated[bool, typer.Option("--notify", help="Send alerts even through a real SMTP server.")]


NAMED = 1_000
"""How many files that are no mail are told of by name: whoever imports an archive wants to know what was left out."""


def import_mails(path: Source, mailbox: Mailbox = "import", notify: Notify = False, as_json: Json = False) -> None:
    """Import mails and wait until all is done.

    Everything that is enqueued for them is terminal when it ends.
    """
    from tournee.cli.errors import CommandFailed, WrongUsage
    from tournee.cli.output import print_fields, print_json, tell, to_plain
    from tournee.cli.progress import show_progress
    from tournee.cli.session import ask_stack
    from tournee.reports import ImportOrder

    if not mailbox.strip() or not mailbox.isprintable():
        raise WrongUsage("--mailbox wants a name")
    _require_readable(path)
    order = ImportOrder(path=str(path.absolute()), mailbox=mailbox.strip(), notify=notify or None)
    with show_progress() as watch:
        report = ask_stack(lambda stack: stack.import_mails(order, watch), migrate=True)
    summary = report.summary
    if not summary.messages + summary.duplicates + summary.not_mail:
        tell(f"there is nothing in {path}")
    _tell_skipped(report)
    if as_json:
        print_json(summary)
    else:
        print_fields(to_plain(summary))
    if not summary.accounted_for:
        raise CommandFailed("not everything is accounted for")


def _require_readable(path: Path) -> None:
    """Before servers are started for nothing."""
    from tournee.cli.errors import CommandFailed, WrongUsage

    try:
        there = path.exists()
    except OSError as error:
        raise CommandFailed(f"{path} can't be looked at: {error.strerror}") from error
    if not there:
        raise WrongUsage(f"there is no {path}")
    if not os.access(path, os.R_OK | (os.X_OK if path.is_dir() else 0)):
        raise CommandFailed(f"{path} can't be read by this user")


def _tell_skipped(report: ImportReport) -> None:
    """The files that are no mail: how many, and the first by name."""
    from tournee.cli.output import clean, tell

    count = report.summary.not_mail
    if not count:
        return
    tell(f"{count} {'file is' if count == 1 else 'files are'} no mail:")
    for file in report.not_mail[:NAMED]:
        tell(f"  {clean(file.name)}: {clean(file.reason)}")
    if count > NAMED:
        tell(f"  and {count - NAMED} more")
