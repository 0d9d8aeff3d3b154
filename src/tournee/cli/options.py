"""Options that several commands share, and the filter that bulk actions are told by.

Owns their names, help and parsing. Keeps: an option means the same in every command. Refuses a bulk action that names
no job and no filter, so that a forgotten word never reaches the whole ledger.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from tournee.cli.errors import WrongUsage
from tournee.reports import BulkOrder, JobFilter

HIGHEST_ID = 2**63 - 1
"""What the ledger's ids can hold."""

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on one line.")]
Ids = Annotated[list[int] | None, typer.Argument(metavar="ID", help="Jobs by their id.", show_default=False)]
JobNumber = Annotated[int, typer.Argument(metavar="ID", help="The job's id.")]
Queue = Annotated[str | None, typer.Option(metavar="NAME", help="Only this queue.")]
State = Annotated[list[str] | None, typer.Option(metavar="STATE", help="Only this state; may be given several times.")]
Kind = Annotated[str | None, typer.Option(metavar="KIND", help="Only this kind of job.")]
Key = Annotated[str | None, typer.Option(metavar="KEY", help="Only jobs with exactly this key.")]
Tenant = Annotated[str | None, typer.Option(metavar="TENANT", help="Only this tenant, such as mailbox:1.")]
Error = Annotated[str | None, typer.Option(metavar="TEXT", help="Only where the last error contains this.")]
OlderThan = Annotated[str | None, typer.Option(metavar="AGE", help="Only what is older, such as 30s, 5m, 2h, 7d.")]
NewerThan = Annotated[str | None, typer.Option(metavar="AGE", help="Only what is newer, such as 30s, 5m, 2h, 7d.")]
Limit = Annotated[int, typer.Option(metavar="N", min=1, max=10_000, help="At most so many.")]
Everything = Annotated[bool, typer.Option("--all", help="All of them; without it a filter or ids are needed.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and change nothing.")]
Reason = Annotated[str, typer.Option(metavar="TEXT", help="Why; goes to the audit log.")]

QueueName = Annotated[str, typer.Argument(metavar="QUEUE", help="The queue's name.")]
ScheduleName = Annotated[str, typer.Argument(metavar="NAME", help="The schedule's name.")]

STATES = ("pending", "queued", "running", "completed", "dead", "cancelled")

UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True, slots=True)
class Age:
    """An age as it is written on the command line."""

    older_than: str | None = None
    newer_than: str | None = None


def build_filter(narrowed: JobFilter, age: Age) -> JobFilter:
    """Check what was given, and turn ages into moments. Raises `WrongUsage`."""
    if unknown := [state for state in narrowed.states if state not in STATES]:
        raise WrongUsage(f"unknown state {unknown[0]!r}; allowed: {', '.join(STATES)}")
    return JobFilter(
        ids=tuple(check_id(job_id) for job_id in narrowed.ids),
        queue=check_queue(narrowed.queue),
        states=tuple(narrowed.states),
        kind=narrowed.kind,
        key=narrowed.key,
        tenant=narrowed.tenant,
        error=narrowed.error,
        before=read_age(age.older_than),
        after=read_age(age.newer_than),
        limit=narrowed.limit,
    )


def require_choice(which: JobFilter, *, everything: bool) -> JobFilter:
    """Let a bulk action through only if it says what it is meant for."""
    if which.is_empty and not everything:
        raise WrongUsage("say which: ids, a filter such as --queue, or --all")
    if everything and not which.is_empty:
        raise WrongUsage("--all goes with no ids and no filter")
    return which


def check_id(job_id: int) -> int:
    """Let only numbers through that the ledger's ids can hold."""
    if not 0 < job_id <= HIGHEST_ID:
        raise WrongUsage(f"no job can have the id {job_id}")
    return job_id


def check_queue(queue: str | None) -> str | None:
    """Let only names of existing queues through."""
    from tournee.settings import QUEUES

    if queue is not None and queue not in QUEUES:
        raise WrongUsage(f"unknown queue {queue!r}; queues: {', '.join(QUEUES)}")
    return queue


def check_queues(queues: str | None) -> Sequence[str]:
    """Read `fetchEmails,processMails`; None: all of them."""
    from tournee.settings import QUEUES

    named = QUEUES if queues is None else tuple(name.strip() for name in queues.split(",") if name.strip())
    if not named:
        raise WrongUsage(f"--queues names none; queues: {', '.join(QUEUES)}")
    for name in named:
        check_queue(name)
    return named


def read_age(text: str | None) -> datetime | None:
    """`2h` is the moment two hours ago."""
    if text is None:
        return None
    match = re.fullmatch(r"([0-9]{1,6})([smhd])", text)
    if match is None:
        raise WrongUsage(f"an age is a number and one of s, m, h, d, such as 2h; given {text!r}")
    return datetime.now(UTC) - timedelta(seconds=int(match[1]) * UNIT_SECONDS[match[2]])


def build_order(reason: str, *, dry_run: bool) -> BulkOrder:
    """Say who acts, for the audit log."""
    import getpass

    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "unknown"
    return BulkOrder(actor=f"cli:{user}", reason=reason, dry_run=dry_run)
