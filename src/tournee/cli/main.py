"""The entry point: all commands, and the mapping of what went wrong to one line and an exit code.

Owns `main()`. Keeps: `tournee --help` imports nothing heavy, an error is one clear line on stderr, `--debug` anywhere
on the line shows the rest. Refuses to decide anything that a command's own module decides.
"""

from __future__ import annotations

import io
import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from importlib.machinery import ModuleSpec
from typing import Annotated

import typer

from tournee import __version__
from tournee.cli.commands import (
    api,
    dead,
    demo,
    doctor,
    imports,
    jobs,
    log_level,
    migrate,
    queues,
    reconcile,
    sandbox,
    schedules,
    search,
    status,
    up,
    worker,
)
from tournee.cli.errors import CommandFailed, ExitCode, Interrupted, WrongUsage
from tournee.kit.errors import SetupError

app = typer.Typer(
    help="Collect newsletters, analyse each once, make them searchable and tell who wants to know.",
    epilog="Settings are variables named TOURNEE_…; `tournee doctor` checks them.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

LAST_WRITES_SECONDS = 1.0

COMMANDS: Mapping[str, Callable[..., None]] = {
    "up": up.run_up,
    "demo": demo.run_demo,
    "api": api.run_api,
    "worker": worker.run_worker,
    "import": imports.import_mails,
    "search": search.search_newsletters,
    "status": status.read_status,
    "reconcile": reconcile.reconcile,
    "migrate": migrate.migrate,
    "log-level": log_level.set_log_level,
    "doctor": doctor.examine_setup,
    "sandbox": sandbox.run_sandbox,
}

for command_name, function in COMMANDS.items():
    app.command(command_name)(function)
app.add_typer(jobs.app, name="jobs")
app.add_typer(dead.app, name="dead")
app.add_typer(queues.app, name="queues")
app.add_typer(schedules.app, name="schedules")


def _print_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"tournee {__version__}\n")
        raise typer.Exit


@app.callback()
def _read_common_options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and end.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error; stands anywhere.")] = False,
) -> None:
    """Options of every command; `main` has read --debug before this runs."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and answer its exit code."""
    _keep_script_to_this_process()
    _print_what_terminal_knows()
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = _take_debug(words)
    try:
        answered = app(args=words, prog_name="tournee", standalone_mode=False)
        sys.stdout.flush()
    except BaseException as error:
        _finish_logs()
        return _explain(error, debug=debug)
    _finish_logs()
    return answered if isinstance(answered, int) else ExitCode.DONE


def _keep_script_to_this_process() -> None:
    """Have the pool's processes not run the script that started us: they import a parent's main module by its name or
    path, except one of this name, and an unguarded script would run the whole command in each of them again.
    """
    script = sys.modules.get("__main__")
    if script is not None and script.__spec__ is None:
        script.__spec__ = ModuleSpec("tournee.__main__", None)


def _print_what_terminal_knows() -> None:
    """Have a character that the terminal's encoding lacks come out as `?`, and not end the command."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def _finish_logs() -> None:
    """Have what was logged written before the last word."""
    pipeline = sys.modules.get("tournee.kit.logs.pipeline")
    if pipeline is not None:
        pipeline.PIPELINE.flush(LAST_WRITES_SECONDS)


def _take_debug(words: list[str]) -> bool:
    """Take `--debug` out of the line, wherever it stands before a `--`."""
    end = words.index("--") if "--" in words else len(words)
    found = "--debug" in words[:end]
    words[:end] = [word for word in words[:end] if word != "--debug"]
    return found


def _explain(error: BaseException, *, debug: bool) -> int:
    """Say in one line what went wrong; answers the exit code. An exit that was asked for stays what it is."""
    if isinstance(error, BrokenPipeError) or isinstance(error.__context__, BrokenPipeError):
        # Python flushes stdout once more at its end, which must not complain again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.BROKEN_PIPE
    if isinstance(error, SystemExit):
        raise error
    if debug:
        traceback.print_exception(error)
    code, message = _judge(error)
    if message.startswith("Usage:"):
        sys.stderr.write(message + "\n")
        return code
    for line in message.splitlines() or [type(error).__name__]:
        sys.stderr.write(f"tournee: {line}\n")
    if code == ExitCode.FAILED and not debug and not isinstance(error, CommandFailed):
        sys.stderr.write("tournee: --debug shows where\n")
    return code


def _judge(error: BaseException) -> tuple[int, str]:
    """Exit code and message of an error."""
    if isinstance(error, Interrupted):
        return error.exit_code, str(error)
    if isinstance(error, KeyboardInterrupt):
        return ExitCode.INTERRUPTED, "interrupted"
    if isinstance(error, WrongUsage):
        return ExitCode.USAGE, str(error)
    if isinstance(error, typer.TyperException):
        return _judge_usage(error)
    if isinstance(error, CommandFailed):
        return ExitCode.FAILED, str(error)
    if isinstance(error, SetupError):
        return ExitCode.SETUP_INCOMPLETE, str(error)
    return ExitCode.FAILED, f"{type(error).__name__}: {error}"


def _judge_usage(error: typer.TyperException) -> tuple[int, str]:
    """Exit code and message of what the parser refused; a group without a command answers its whole help."""
    message = str(getattr(error, "format_message", lambda: str(error))())
    context = getattr(error, "ctx", None)
    code = int(getattr(error, "exit_code", ExitCode.USAGE))
    if context is None or message.startswith("Usage:"):
        return code, message
    return code, f"{message.rstrip('.')}; see `{context.command_path} --help`"


if __name__ == "__main__":
    sys.exit(main())
