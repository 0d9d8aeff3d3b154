"""`tournee import`: a folder of mails, an mbox or a Maildir through the whole pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tournee.cli.options import Json

Source = Annotated[
    Path, typer.Argument(metavar="PATH", help="A folder of mails (walked through), an mbox or a Maildir.")
]
Mailbox = Annotated[str, typer.Option(metavar="NAME", help="The mailbox that the mails go to.")]
Notify = Annotated[bool, typer.Option("--notify", help="Send alerts even through a real SMTP server.")]


def import_mails(path: Source, mailbox: Mailbox = "import", notify: Notify = False, as_json: Json = False) -> None:
    """Import mails and wait until all is done.

    Everything that is enqueued for them is terminal when it ends.
    """
    from tournee.cli.errors import CommandFailed
    from tournee.cli.output import print_fields, print_json, to_plain
    from tournee.cli.progress import show_progress
    from tournee.cli.session import ask_stack
    from tournee.reports import ImportOrder

    if not path.exists():
        raise CommandFailed(f"there is no {path}")
    order = ImportOrder(path=str(path.absolute()), mailbox=mailbox, notify=notify or None)
    with show_progress() as watch:
        summary = ask_stack(lambda stack: stack.import_mails(order, watch), migrate=True)
    if as_json:
        print_json(summary)
    else:
        print_fields(to_plain(summary))
    if not summary.accounted_for:
        raise CommandFailed("not everything is accounted for")
