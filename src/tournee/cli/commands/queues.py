"""`tournee queues list|pause|resume`: how the queues stand, and whether they move."""

from __future__ import annotations

import typer

from tournee.cli.options import Json, QueueName, Reason, build_order

app = typer.Typer(help="Look at the queues, pause and resume them.", no_args_is_help=True)


@app.command("list")
def list_queues(as_json: Json = False) -> None:
    """List the queues, ledger and Redis side by side."""
    from tournee.cli.output import print_json
    from tournee.cli.session import ask_stack
    from tournee.cli.tables import print_queues

    queues = ask_stack(lambda stack: stack.read_status()).queues
    if as_json:
        print_json({"queues": queues})
    else:
        print_queues(queues)


@app.command("pause")
def pause_queue(queue: QueueName, reason: Reason = "", as_json: Json = False) -> None:
    """Start nothing more of a queue, until it is resumed; audited. What runs goes on.

    Kept in the ledger: it outlasts a restart and the loss of Redis.
    """
    _switch(queue, reason, paused=True, as_json=as_json)


@app.command("resume")
def resume_queue(queue: QueueName, reason: Reason = "", as_json: Json = False) -> None:
    """Let a paused queue go on; audited."""
    _switch(queue, reason, paused=False, as_json=as_json)


def _switch(queue: str, reason: str, *, paused: bool, as_json: bool) -> None:
    from tournee.cli.errors import CommandFailed
    from tournee.cli.output import print_json, print_line
    from tournee.cli.session import ask_stack

    order = build_order(reason, dry_run=False)
    if not ask_stack(lambda stack: stack.switch_queue(queue, order, paused=paused)):
        raise CommandFailed(f"the ledger has no queue {queue}")
    if as_json:
        print_json({"queue": queue, "paused": paused})
    else:
        print_line(f"{queue}: {'paused' if paused else 'resumed'}")
