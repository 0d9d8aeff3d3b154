"""`tournee status`: queues, workers, providers, mailboxes and cost at one moment."""

from __future__ import annotations

from tournee.cli.options import Json


def read_status(as_json: Json = False) -> None:
    """Show queues, workers, providers and cost.

    Queues: ledger and Redis side by side, with what differs.
    """
    from tournee.cli.output import print_json
    from tournee.cli.session import ask_stack
    from tournee.cli.tables import print_status

    status = ask_stack(lambda stack: stack.read_status())
    if as_json:
        print_json(status)
    else:
        print_status(status)
