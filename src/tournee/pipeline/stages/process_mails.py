"""processMails: a newsletter gets its analysis, from the cache or from an analyser, each issue once.

Keeps: newsletters = analysed + cache hits + invalid at rest; one analysis per content, analyser and version, also
when many of the same come at once, and nothing of the one reader in it; an outside analyser sees only mailboxes whose
owner agreed.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from tournee.engine.client import DeadJob, Job, Priority, Snooze, Transaction
from tournee.kit.trace import new_traceparent
from tournee.pipeline.core.analysis_check import check_analysis
from tournee.pipeline.core.cache_key import make_cache_key
from tournee.pipeline.core.mail.sharing import describe_reader, share_lines, share_text
from tournee.pipeline.core.payloads import AnalyseNewsletter, IndexNewsletter
from tournee.pipeline.core.shared_links import share_analysis
from tournee.pipeline.ports import Analyser, AnalysisRequest, Link
from tournee.pipeline.stages.faults import describe_invalid, describe_reason, report_fault
from tournee.pipeline.store.analyses import (
    NewAnalysis,
    claim_analysis,
    drop_claim,
    drop_claims_of_job,
    find_analysis,
    insert_analysis,
)
from tournee.pipeline.store.newsletters import (
    Newsletter,
    link_analysis,
    load_newsletter,
    mark_invalid,
    restore_newsletter,
)


@dataclass(frozen=True, slots=True)
class ProcessLimits:
    """`claim`: how long others leave the same content to a job that says nothing more; above its time limit."""

    claim: timedelta = timedelta(minutes=2)
    wait_for_analysis: timedelta = timedelta(milliseconds=500)


@dataclass(frozen=True, slots=True)
class _Work:
    """What is to be done for one newsletter. `cached`: the analysis that its content has already."""

    newsletter: Newsletter
    analyser: Analyser
    cache_key: str
    cached: int | None


class ProcessMails:
    """Handler of `AnalyseNewsletter`. `outside` None: everything is analysed by `embedded`."""

    def __init__(self, outside: Analyser | None, embedded: Analyser, limits: ProcessLimits | None = None) -> None:
        self._outside = outside
        self._embedded = embedded
        self._limits = limits or ProcessLimits()

    async def handle(self, job: Job[AnalyseNewsletter]) -> None:
        """Link what the cache has, else analyse. Puts itself off while another job analyses the same content."""
        async with job.step() as tx:
            work = await self._plan(tx, job)
        if work is None:
            async with job.transaction():
                return
        if work.cached is not None:
            async with job.transaction() as tx:
                await self._link(tx, job, work, work.cached, cache_hit=True)
            return
        try:
            analysis = await self._analyse(job, work)
            async with job.transaction() as tx:
                await self._store(tx, job, work, analysis)
        except BaseException:
            await self._drop_claim(job, work)
            raise

    def _choose_analyser(self, newsletter: Newsletter) -> Analyser:
        if self._outside is not None and newsletter.consents:
            return self._outside
        return self._embedded

    async def _plan(self, tx: Transaction, job: Job[AnalyseNewsletter]) -> _Work | None:
        """Decide, and claim where there is something to compute. None: the newsletter was erased."""
        newsletter = await load_newsletter(tx.connection, job.payload.newsletter_id)
        if newsletter is None:
            return None
        analyser = self._choose_analyser(newsletter)
        key = make_cache_key(newsletter.content_hash, analyser.name, analyser.cache_version)
        cached = await find_analysis(tx.connection, key)
        if cached is None:
            if not await claim_analysis(tx.connection, key, job.id, self._limits.claim):
                raise Snooze(self._limits.wait_for_analysis)
            # Whoever held the claim before stored the analysis and dropped the claim in one commit: look again.
            cached = await find_analysis(tx.connection, key)
            if cached is not None:
                await drop_claim(tx.connection, key, job.id)
        return _Work(newsletter, analyser, key, cached)

    async def _analyse(self, job: Job[AnalyseNewsletter], work: _Work) -> NewAnalysis:
        newsletter, analyser = work.newsletter, work.analyser
        request = await asyncio.to_thread(_make_request, newsletter)
        started = time.perf_counter()
        checked = check_analysis(await analyser.analyse(request), request)
        seconds = time.perf_counter() - started
        if checked.invented_links:
            await job.log(f"{checked.invented_links} links that do not occur in the mail were dropped")
        analysis = share_analysis(checked.analysis, newsletter.links)
        return NewAnalysis(work.cache_key, analyser.name, analyser.cache_version, analysis, seconds)

    async def _store(self, tx: Transaction, job: Job[AnalyseNewsletter], work: _Work, analysis: NewAnalysis) -> None:
        analysis_id = await insert_analysis(tx.connection, analysis)
        computed = analysis_id is not None
        if analysis_id is None:
            # Our claim ran out and another job was faster; its analysis is the one that is kept.
            analysis_id = await find_analysis(tx.connection, work.cache_key)
            assert analysis_id is not None
        await drop_claim(tx.connection, work.cache_key, job.id)
        await self._link(tx, job, work, analysis_id, cache_hit=not computed)

    async def _link(
        self, tx: Transaction, job: Job[AnalyseNewsletter], work: _Work, analysis_id: int, *, cache_hit: bool
    ) -> None:
        newsletter = work.newsletter
        if await link_analysis(tx.connection, newsletter.id, analysis_id, cache_hit=cache_hit):
            await tx.enqueue(
                IndexNewsletter(newsletter_id=newsletter.id, mailbox_id=newsletter.mailbox_id),
                priority=Priority.BACKFILL if newsletter.imported else Priority.NORMAL,
                trace_context=new_traceparent(job.trace_context),
            )

    async def _drop_claim(self, job: Job[AnalyseNewsletter], work: _Work) -> None:
        """Let others of the same content go on at once. What hinders that is no second fault: a claim runs out."""
        with suppress(Exception):
            async with asyncio.timeout(5), job.step() as tx:
                await drop_claim(tx.connection, work.cache_key, job.id)


def _make_request(newsletter: Newsletter) -> AnalysisRequest:
    """What an analyser gets: the issue as all its readers have it, without the one who got this copy."""
    reader = describe_reader(newsletter.recipients, newsletter.sender)
    subject, *texts = share_lines([newsletter.subject, *(link.text for link in newsletter.links)], reader)
    return AnalysisRequest(
        message_id=newsletter.message_id_header,
        subject=subject,
        sender=newsletter.sender,
        text=share_text(newsletter.text, reader),
        links=[Link(link.url, text) for link, text in zip(newsletter.links, texts, strict=True)],
        language_hint=newsletter.language,
    )


async def on_dead(tx: Transaction, dead: DeadJob, language: str = "en") -> None:
    """Mark the newsletter invalid with the reason, and tell the administrators in their language."""
    newsletter_id = AnalyseNewsletter.model_validate(dead.payload).newsletter_id
    await drop_claims_of_job(tx.connection, dead.job_id)
    newsletter = await mark_invalid(tx.connection, newsletter_id, describe_reason(dead))
    if newsletter is not None:
        await report_fault(tx, describe_invalid(dead, newsletter_id, newsletter, language))


async def on_cancelled(tx: Transaction, dead: DeadJob) -> None:
    """An operator gave the job up: the newsletter is invalid, and whoever did it knows."""
    newsletter_id = AnalyseNewsletter.model_validate(dead.payload).newsletter_id
    await drop_claims_of_job(tx.connection, dead.job_id)
    await mark_invalid(tx.connection, newsletter_id, "cancelled by an operator")


async def on_redrive(tx: Transaction, dead: DeadJob) -> None:
    """Let it be analysed again."""
    await restore_newsletter(tx.connection, AnalyseNewsletter.model_validate(dead.payload).newsletter_id)
