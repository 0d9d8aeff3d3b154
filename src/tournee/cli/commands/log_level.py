"""`tournee log-level`: how much the running processes of this home log, changed while they run."""

from __future__ import annotations

from typing import Annotated

import typer

from tournee.cli.errors import WrongUsage
from tournee.cli.options import Json

Level = Annotated[
    str | None, typer.Argument(metavar="LEVEL", help="debug, info, warning, error; default: back to the setting.")
]
Minutes = Annotated[
    float | None, typer.Option("--minutes", metavar="N", min=0.1, help="For so long; default: until changed.")
]


def set_log_level(level: Level = None, minutes: Minutes = None, as_json: Json = False) -> None:
    """Show or change how much is logged.

    It holds for all processes of this home, within about a second.

    `default` goes back to TOURNEE_LOG_LEVEL. SIGUSR1 switches one process alone to debug and back.
    """
    from tournee.cli.output import print_fields, print_json
    from tournee.kit.errors import SetupError
    from tournee.kit.logs.level import LEVEL_FILE, LEVELS, read_level, write_level
    from tournee.settings import load_settings

    settings = load_settings()
    file = settings.home / LEVEL_FILE
    if level is not None and level not in (*LEVELS, "default"):
        raise WrongUsage(f"{level!r} is no level: one of {', '.join(LEVELS)}, default")
    if minutes is not None and level in (None, "default"):
        raise WrongUsage("--minutes belongs to a level")
    try:
        if level == "default":
            file.unlink(missing_ok=True)
        elif level is not None:
            write_level(file, level, None if minutes is None else minutes * 60)
    except OSError as error:
        raise SetupError(f"{file} can't be written ({error.strerror}): run it as the user who runs Tournée") from error
    wish = read_level(file)
    shown = {"level": wish[0] if wish else settings.log_level, "until": wish[1] if wish else None}
    if as_json:
        print_json(shown)
    else:
        print_fields({"level": shown["level"], "until": _tell_time(wish[1]) if wish else "set by TOURNEE_LOG_LEVEL"})


def _tell_time(until: float | None) -> str:
    from datetime import datetime

    return "changed" if until is None else datetime.fromtimestamp(until).astimezone().isoformat(timespec="seconds")
