"""`tournee worker`: one worker process, for deployments."""

from __future__ import annotations

from typing import Annotated

import typer

from tournee.cli.options import Json, check_queues

Queues = Annotated[str | None, typer.Option(metavar="NAME,...", help="Only these queues; default: all.")]
Concurrency = Annotated[
    int | None, typer.Option(metavar="N", min=1, max=1000, help="Jobs at once per queue; default: settings.")
]


def run_worker(queues: Queues = None, concurrency: Concurrency = None, as_json: Json = False) -> None:
    """Run one worker process, with relay and maintenance."""
    from tournee.cli.ports import load_bootstrap
    from tournee.cli.runner import serve
    from tournee.cli.session import announce_on_stdout, read_settings

    settings = read_settings()
    chosen = {queue: concurrency or settings.concurrency[queue] for queue in check_queues(queues)}
    bootstrap = load_bootstrap()
    announce = announce_on_stdout(as_json=as_json)
    serve(lambda stop: bootstrap.run_worker(settings, queues=chosen, announce=announce, stop=stop))
