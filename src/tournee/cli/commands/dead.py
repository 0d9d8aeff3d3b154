"""`tournee dead list|show|redrive|discard`: the dead letters."""

from __future__ import annotations

import typer

from tournee.cli.options import (
    Age,
    DryRun,
    Error,
    Everything,
    Ids,
    JobNumber,
    Json,
    Kind,
    Limit,
    NewerThan,
    OlderThan,
    Queue,
    Reason,
    Tenant,
    build_filter,
    build_order,
    check_id,
    require_choice,
)
from tournee.reports import JobFilter

app = typer.Typer(help="Look at dead letters, run them again or discard them.", no_args_is_help=True)


@app.command("list")
def list_dead(
    queue: Queue = None,
    kind: Kind = None,
    tenant: Tenant = None,
    error: Error = None,
    older_than: OlderThan = None,
    newer_than: NewerThan = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List dead letters, the latest death first."""
    from tournee.cli.session import ask_stack
    from tournee.cli.tables import print_jobs

    narrowed = JobFilter((), queue, (), kind, None, tenant, error, limit=limit)
    which = build_filter(narrowed, Age(older_than, newer_than))
    print_jobs(ask_stack(lambda stack: stack.list_dead(which)), limit=limit, as_json=as_json)


@app.command("show")
def show_dead(job_id: JobNumber, as_json: Json = False) -> None:
    """Show one dead letter with its payload and every failed attempt."""
    from tournee.cli.errors import CommandFailed
    from tournee.cli.session import ask_stack
    from tournee.cli.tables import print_job

    check_id(job_id)
    detail = ask_stack(lambda stack: stack.show_job(job_id))
    if detail is not None and detail.job.state != "dead":
        raise CommandFailed(f"job {job_id} is no dead letter: it is {detail.job.state}")
    print_job(detail, job_id=job_id, as_json=as_json)


@app.command("redrive")
def redrive_dead(
    ids: Ids = None,
    queue: Queue = None,
    kind: Kind = None,
    tenant: Tenant = None,
    error: Error = None,
    older_than: OlderThan = None,
    newer_than: NewerThan = None,
    everything: Everything = False,
    reason: Reason = "",
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Run dead jobs again, under their own ids; audited."""
    from tournee.cli.session import ask_stack
    from tournee.cli.tables import print_bulk

    narrowed = JobFilter(ids or (), queue, (), kind, None, tenant, error)
    which = require_choice(build_filter(narrowed, Age(older_than, newer_than)), everything=everything)
    order = build_order(reason, dry_run=dry_run)
    print_bulk(ask_stack(lambda stack: stack.redrive_dead(which, order)), as_json=as_json)


@app.command("discard")
def discard_dead(
    ids: Ids = None,
    queue: Queue = None,
    kind: Kind = None,
    tenant: Tenant = None,
    error: Error = None,
    older_than: OlderThan = None,
    newer_than: NewerThan = None,
    everything: Everything = False,
    reason: Reason = "",
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Give dead jobs up, as cancelled; audited."""
    from tournee.cli.session import ask_stack
    from tournee.cli.tables import print_bulk

    narrowed = JobFilter(ids or (), queue, (), kind, None, tenant, error)
    which = require_choice(build_filter(narrowed, Age(older_than, newer_than)), everything=everything)
    order = build_order(reason, dry_run=dry_run)
    print_bulk(ask_stack(lambda stack: stack.discard_dead(which, order)), as_json=as_json)
