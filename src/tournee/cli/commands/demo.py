"""`tournee demo`: the whole system on a sample mailbox."""

from __future__ import annotations

from typing import Annotated

import typer

Once = Annotated[bool, typer.Option("--once", help="End when all is processed, and print the summary last.")]


def run_demo(once: Once = False) -> None:
    """Show the whole system at work.

    Embedded stack, sandbox, sample mailbox, console and board. Ctrl-C ends all.
    """
    import asyncio
    from functools import partial

    from tournee.cli.errors import CommandFailed
    from tournee.cli.output import print_json
    from tournee.cli.ports import load_bootstrap
    from tournee.cli.progress import show_progress
    from tournee.cli.runner import run, serve
    from tournee.cli.session import announce_on_stderr, read_settings

    settings = read_settings()
    bootstrap = load_bootstrap()
    with show_progress() as watch:
        demo = partial(bootstrap.run_demo, settings, announce=announce_on_stderr, watch=watch)
        if not once:
            serve(lambda stop: demo(once=False, stop=stop))
            return
        summary = run(lambda: demo(once=True, stop=asyncio.Event()))
    print_json(summary)
    if not summary.accounted_for:
        raise CommandFailed("not everything is accounted for")
