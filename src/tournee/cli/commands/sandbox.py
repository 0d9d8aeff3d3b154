"""`tournee sandbox`: only the simulators, for trying or testing against."""

from __future__ import annotations

from tournee.cli.options import Json


def run_sandbox(as_json: Json = False) -> None:
    """Run only the simulators of the outside services.

    What fails there, and when, is told to the simulators themselves, over HTTP.
    """
    from tournee.cli.ports import load_bootstrap
    from tournee.cli.runner import serve
    from tournee.cli.session import announce_on_stdout, read_settings

    settings = read_settings()
    bootstrap = load_bootstrap()
    announce = announce_on_stdout(as_json=as_json)
    serve(lambda stop: bootstrap.run_sandbox(settings, announce=announce, stop=stop))
