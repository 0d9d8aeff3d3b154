"""Telling the administrators: a notice row and the job that sends it, in the transaction of the fault.

Keeps: one notice per death, one mail per incident (the same fault by the same class of error). A job that dies again
after a redrive is a new fault. Of an error only its class leaves, and the words that were written here: those of others
may quote a mail. What leaves is without secrets and addresses.
"""

from __future__ import annotations

from tournee.engine.client import DeadJob, Transaction
from tournee.kit.logs.redaction import redact_text
from tournee.pipeline.core.notice_wording import NoticeWording, choose_notice_wording
from tournee.pipeline.core.payloads import SendAdminNotice
from tournee.pipeline.core.text import clean_text, clip, to_single_line
from tournee.pipeline.store.newsletters import InvalidNewsletter
from tournee.pipeline.store.notices import NewNotice, insert_notice

MAX_REASON = 2_000
MAX_SUBJECT = 150
MAX_WORDS = 300
OWN_ERRORS = frozenset({"Rejected", "OutsideUnavailable"})
"""Errors whose words are ours."""


async def report_fault(tx: Transaction, notice: NewNotice) -> None:
    """Write the notice down, and enqueue its mail where it is the first of its incident, or one that says how it has
    grown; a fault that was written down before changes nothing.
    """
    notice_id = await insert_notice(tx.connection, notice)
    if notice_id is not None:
        await tx.enqueue(SendAdminNotice(notice_id=notice_id))


def describe_invalid(
    dead: DeadJob, newsletter_id: int, newsletter: InvalidNewsletter, language: str = "en"
) -> NewNotice:
    """A newsletter was given up: which, why, and what to do."""
    wording = choose_notice_wording(language)
    title = _show_line(newsletter.subject, MAX_SUBJECT) or f"newsletter {newsletter_id}"
    lines = [
        wording.newsletter_meaning,
        "",
        wording.newsletter.format(id=newsletter_id, title=title),
        wording.sender.format(sender=_show_sender(newsletter)),
        wording.mailbox.format(mailbox=_show_line(newsletter.mailbox, MAX_SUBJECT)),
        *_describe_death(dead, wording),
    ]
    return NewNotice(
        fault_key=_fault_key("newsletter-invalid", dead),
        incident=f"newsletter-invalid:{dead.error.error_class}",
        subject=wording.newsletter_subject.format(title=title),
        body="\n".join(lines),
        newsletter_id=newsletter_id,
    )


def describe_dead_sync(dead: DeadJob, mailbox: str, language: str = "en") -> NewNotice:
    """A mailbox was not synchronised: which, why, and what to do."""
    wording = choose_notice_wording(language)
    name = _show_line(mailbox, MAX_SUBJECT)
    lines = [wording.mailbox_meaning, "", wording.mailbox.format(mailbox=name), *_describe_death(dead, wording)]
    return NewNotice(
        fault_key=_fault_key("mailbox-unsynchronised", dead),
        incident=f"mailbox-unsynchronised:{dead.error.error_class}",
        subject=wording.mailbox_subject.format(mailbox=name),
        body="\n".join(lines),
    )


def describe_reason(dead: DeadJob) -> str:
    """The last error in one text, as it is shown beside what failed."""
    return clip(clean_text(f"{dead.error.error_class}: {dead.error.message}"), MAX_REASON)


def _describe_death(dead: DeadJob, wording: NoticeWording) -> list[str]:
    since = dead.died_at.isoformat(timespec="seconds")
    return [
        wording.attempts.format(attempts=dead.attempt, crashes=dead.crashes),
        wording.error.format(error=_show_error(dead)),
        wording.job.format(job=dead.job_id, queue=dead.queue, since=since),
        "",
        wording.look.format(command=f"tournee dead show {dead.job_id}"),
        wording.again.format(command=f"tournee dead redrive {dead.job_id}"),
    ]


def _show_error(dead: DeadJob) -> str:
    name = to_single_line(dead.error.error_class, MAX_SUBJECT)
    if dead.error.error_class not in OWN_ERRORS:
        return name
    first_line = dead.error.message.partition("\n")[0]
    return f"{name}: {_show_line(first_line, MAX_WORDS)}"


def _show_sender(newsletter: InvalidNewsletter) -> str:
    """Name and domain; the address stays here."""
    domain = newsletter.from_address.rpartition("@")[2]
    parts = (newsletter.from_name, f"({domain})" if domain else "")
    return _show_line(" ".join(part for part in parts if part), MAX_SUBJECT)


def _show_line(text: str, limit: int) -> str:
    return to_single_line(redact_text(text), limit)


def _fault_key(fault: str, dead: DeadJob) -> str:
    return f"{fault}:{dead.job_id}:{dead.dispatch}"
