"""Telling the administrators: a notice row and the job that sends it, in the transaction of the fault.

Keeps: one notice per death, one mail per incident (the same fault by the same class of error). A job that dies again
after a redrive is a new fault.
"""

from __future__ import annotations

from tournee.engine.client import DeadJob, Transaction
from tournee.pipeline.core.payloads import SendAdminNotice
from tournee.pipeline.core.text import clean_text, clip, to_single_line
from tournee.pipeline.store.newsletters import InvalidNewsletter
from tournee.pipeline.store.notices import NewNotice, insert_notice

MAX_REASON = 2_000
MAX_SUBJECT = 150


async def report_fault(tx: Transaction, notice: NewNotice) -> None:
    """Write the notice down, and enqueue its mail where it is the first of its incident, or one that says how it has
    grown; a fault that was written down before changes nothing.
    """
    notice_id = await insert_notice(tx.connection, notice)
    if notice_id is not None:
        await tx.enqueue(SendAdminNotice(notice_id=notice_id))


def describe_invalid(dead: DeadJob, newsletter_id: int, newsletter: InvalidNewsletter) -> NewNotice:
    """A newsletter was given up: which, why, and what to do."""
    title = to_single_line(newsletter.subject, MAX_SUBJECT) or f"newsletter {newsletter_id}"
    lines = [
        "A newsletter could not be analysed and was marked invalid. It is kept and shown with this reason.",
        "",
        f"Newsletter: {newsletter_id}: {title}",
        f"Sender: {to_single_line(newsletter.sender, 200)}",
        f"Mailbox: {newsletter.mailbox}",
        *_describe_death(dead),
    ]
    return NewNotice(
        fault_key=_fault_key("newsletter-invalid", dead),
        incident=f"newsletter-invalid:{dead.error.error_class}",
        subject=f"Invalid newsletter: {title}",
        body="\n".join(lines),
        newsletter_id=newsletter_id,
    )


def describe_dead_sync(dead: DeadJob, mailbox: str) -> NewNotice:
    """A mailbox was not synchronised: which, why, and what to do."""
    lines = [
        "New mail of a mailbox could not be fetched. Nothing is lost: the next synchronisation goes on from there.",
        "",
        f"Mailbox: {mailbox}",
        *_describe_death(dead),
    ]
    return NewNotice(
        fault_key=_fault_key("mailbox-unsynchronised", dead),
        incident=f"mailbox-unsynchronised:{dead.error.error_class}",
        subject=f"Mailbox not synchronised: {to_single_line(mailbox, MAX_SUBJECT)}",
        body="\n".join(lines),
    )


def describe_reason(dead: DeadJob) -> str:
    """The last error in one text, as it is shown beside what failed."""
    return clip(clean_text(f"{dead.error.error_class}: {dead.error.message}"), MAX_REASON)


def _describe_death(dead: DeadJob) -> list[str]:
    return [
        f"Failed attempts: {dead.attempt}; crashes: {dead.crashes}",
        f"Last error: {describe_reason(dead)}",
        f"Job: {dead.job_id} in queue {dead.queue}, dead since {dead.died_at.isoformat(timespec='seconds')}",
        "",
        f"Look at it:   tournee dead show {dead.job_id}",
        f"Try it again: tournee dead redrive {dead.job_id}",
    ]


def _fault_key(fault: str, dead: DeadJob) -> str:
    return f"{fault}:{dead.job_id}:{dead.dispatch}"
