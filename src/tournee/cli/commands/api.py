"""`tournee api`: API, console and hooks only, for deployments."""

from __future__ import annotations

from tournee.cli.options import Json


def run_api(as_json: Json = False) -> None:
    """Run the API, the console and the hooks only."""
    from tournee.cli.ports import load_bootstrap
    from tournee.cli.runner import serve
    from tournee.cli.session import announce_on_stdout, read_settings

    settings = read_settings()
    bootstrap = load_bootstrap()
    announce = announce_on_stdout(as_json=as_json)
    serve(lambda stop: bootstrap.run_api(settings, announce=announce, stop=stop))
