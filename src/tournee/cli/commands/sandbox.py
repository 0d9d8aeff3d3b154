"""`tournee sandbox`: only the simulators, for trying or testing against."""

from __future__ import annotations

from typing import Annotated

import typer

from tournee.cli.options import Json

Faults = Annotated[str | None, typer.Option(metavar="FAULTS", help="Faults to inject; default: none.")]


def run_sandbox(faults: Faults = None, as_json: Json = False) -> None:
    """Run only the simulators of the outside services."""
    from tournee.cli.ports import load_bootstrap
    from tournee.cli.runner import serve
    from tournee.cli.session import announce_on_stdout
    from tournee.settings import load_settings

    settings = load_settings(sandbox_faults=faults)
    bootstrap = load_bootstrap()
    announce = announce_on_stdout(as_json=as_json)
    serve(lambda stop: bootstrap.run_sandbox(settings, announce=announce, stop=stop))
