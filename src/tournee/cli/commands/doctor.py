"""`tournee doctor`: is everything set up right, and what to do if not."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import typer

from tournee.cli.options import Json
from tournee.reports import Finding, Verdict

if TYPE_CHECKING:
    from tournee.settings import Settings


def examine_setup(as_json: Json = False) -> None:
    """Check that everything is set up right.

    Exit code 3 if something is missing, with what to do.
    """
    from tournee.cli.errors import ExitCode
    from tournee.cli.output import print_json, print_table

    findings = collect_findings()
    healthy = all(finding.verdict is not Verdict.FAILED for finding in findings)
    if as_json:
        print_json({"healthy": healthy, "findings": findings})
    else:
        rows = ([finding.check, finding.verdict.value, finding.detail, finding.remedy] for finding in findings)
        print_table(["check", "verdict", "detail", "what to do"], rows)
    if not healthy:
        raise typer.Exit(ExitCode.SETUP_INCOMPLETE)


def collect_findings() -> Sequence[Finding]:
    """Check the settings first; with bad ones nothing else can be looked at."""
    from tournee.cli.ports import load_bootstrap
    from tournee.cli.runner import run
    from tournee.settings import SettingsError, load_settings

    try:
        settings = load_settings()
    except SettingsError as error:
        lines = str(error).splitlines()
        return [Finding("settings", Verdict.FAILED, line, "set the variable to an allowed value") for line in lines]
    bootstrap = load_bootstrap()
    found = run(lambda: bootstrap.examine_setup(settings))
    return [*examine_settings(settings, os.environ), *found]


def examine_settings(settings: Settings, environment: Mapping[str, str]) -> list[Finding]:
    """One finding for each variable that nothing reads, or one that all is well."""
    from tournee.settings import find_unknown_variables

    unknown = find_unknown_variables(environment)
    if unknown:
        return [Finding("settings", Verdict.WARNING, line, "correct or remove the variable") for line in unknown]
    return [Finding("settings", Verdict.OK, f"home {settings.home}, {settings.env}")]
