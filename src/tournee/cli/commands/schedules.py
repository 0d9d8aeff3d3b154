"""`tournee schedules list|pause|resume|forget`: the jobs that recur."""

from __future__ import annotations

import typer

from tournee.cli.options import Json, Reason, ScheduleName, build_order

app = typer.Typer(help="Look at what recurs, pause and resume it.", no_args_is_help=True)


@app.command("list")
def list_schedules(as_json: Json = False) -> None:
    """List the schedules, with the next instant of each.

    It says, too, whether a live process fires it.
    """
    from tournee.cli.output import print_json, print_line
    from tournee.cli.session import ask_stack
    from tournee.cli.tables import print_schedules

    schedules = ask_stack(lambda stack: stack.read_status()).schedules
    if as_json:
        print_json({"schedules": schedules})
    elif schedules:
        print_schedules(schedules)
    else:
        print_line("no schedules")


@app.command("pause")
def pause_schedule(name: ScheduleName, reason: Reason = "", as_json: Json = False) -> None:
    """Let a schedule fire no more, until it is resumed; audited.

    What falls between is not made up for.
    """
    _switch(name, reason, paused=True, as_json=as_json)


@app.command("resume")
def resume_schedule(name: ScheduleName, reason: Reason = "", as_json: Json = False) -> None:
    """Let a paused schedule go on with its next instant; audited."""
    _switch(name, reason, paused=False, as_json=as_json)


@app.command("forget")
def forget_schedule(name: ScheduleName, reason: Reason = "", as_json: Json = False) -> None:
    """Remove a schedule that no live process declares any more; audited."""
    from tournee.cli.errors import CommandFailed
    from tournee.cli.output import print_json, print_line
    from tournee.cli.session import ask_stack

    order = build_order(reason, dry_run=False)
    if not ask_stack(lambda stack: stack.forget_schedule(name, order)):
        raise CommandFailed(f"the ledger has no schedule {name}, or a live process fires it")
    if as_json:
        print_json({"schedule": name, "forgotten": True})
    else:
        print_line(f"{name}: forgotten")


def _switch(name: str, reason: str, *, paused: bool, as_json: bool) -> None:
    from tournee.cli.errors import CommandFailed
    from tournee.cli.output import print_json, print_line
    from tournee.cli.session import ask_stack

    order = build_order(reason, dry_run=False)
    if not ask_stack(lambda stack: stack.switch_schedule(name, order, paused=paused)):
        raise CommandFailed(f"the ledger has no schedule {name}")
    if as_json:
        print_json({"schedule": name, "paused": paused})
    else:
        print_line(f"{name}: {'paused' if paused else 'resumed'}")
