"""`tournee jobs list|show|cancel`: the ledger."""

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
    Key,
    Kind,
    Limit,
    NewerThan,
    OlderThan,
    Queue,
    Reason,
    State,
    Tenant,
    build_filter,
    build_order,
    check_id,
    require_choice,
)
from tournee.reports import JobFilter

app = typer.Typer(help="Look into the ledger, and cancel jobs.", no_args_is_help=True)


@app.command("list")
def list_jobs(
    queue: Queue = None,
    state: State = None,
    kind: Kind = None,
    key: Key = None,
    tenant: Tenant = None,
    error: Error = None,
    older_than: OlderThan = None,
    newer_than: NewerThan = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List jobs, the latest first."""
    from tournee.cli.session import ask_stack
    from tournee.cli.tables import print_jobs

    narrowed = JobFilter((), queue, state or (), kind, key, tenant, error, limit=limit)
    which = build_filter(narrowed, Age(older_than, newer_than))
    print_jobs(ask_stack(lambda stack: stack.list_jobs(which)), limit=limit, as_json=as_json)


@app.command("show")
def show_job(job_id: JobNumber, as_json: Json = False) -> None:
    """Show one job with its payload and its failed attempts."""
    from tournee.cli.session import ask_stack
    from tournee.cli.tables import print_job

    check_id(job_id)
    print_job(ask_stack(lambda stack: stack.show_job(job_id)), job_id=job_id, as_json=as_json)


@app.command("cancel")
def cancel_jobs(
    ids: Ids = None,
    queue: Queue = None,
    state: State = None,
    kind: Kind = None,
    key: Key = None,
    tenant: Tenant = None,
    older_than: OlderThan = None,
    newer_than: NewerThan = None,
    everything: Everything = False,
    reason: Reason = "",
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Cancel jobs that are not over yet; audited."""
    from tournee.cli.session import ask_stack
    from tournee.cli.tables import print_bulk

    narrowed = JobFilter(ids or (), queue, state or (), kind, key, tenant)
    which = require_choice(build_filter(narrowed, Age(older_than, newer_than)), everything=everything)
    order = build_order(reason, dry_run=dry_run)
    print_bulk(ask_stack(lambda stack: stack.cancel_jobs(which, order)), as_json=as_json)
