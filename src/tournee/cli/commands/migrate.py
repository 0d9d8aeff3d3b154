"""`tournee migrate`: bring the schema up to date."""

from __future__ import annotations

from tournee.cli.options import Json


def migrate(as_json: Json = False) -> None:
    """Bring the database's schema up to date."""
    from tournee.cli.output import print_json, print_line
    from tournee.cli.ports import load_bootstrap
    from tournee.cli.runner import run
    from tournee.cli.session import read_settings

    settings = read_settings()
    bootstrap = load_bootstrap()
    report = run(lambda: bootstrap.migrate(settings))
    if as_json:
        print_json(report)
    elif report.applied:
        print_line(f"schema {report.before or 'empty'} -> {report.after}: {', '.join(report.applied)}")
    else:
        print_line(f"schema {report.after}: up to date")
