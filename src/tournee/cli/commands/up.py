"""`tournee up`: everything, supervised, until Ctrl-C or SIGTERM."""

from __future__ import annotations

from tournee.cli.options import Json


def run_up(as_json: Json = False) -> None:
    """Run everything, supervised, until Ctrl-C.

    API, console, workers, maintenance and board; embedded servers where no URL is set.
    """
    from tournee.cli.ports import load_bootstrap
    from tournee.cli.runner import serve
    from tournee.cli.session import announce_on_stdout, read_settings

    settings = read_settings()
    bootstrap = load_bootstrap()
    announce = announce_on_stdout(as_json=as_json)
    serve(lambda stop: bootstrap.run_up(settings, announce=announce, stop=stop))
