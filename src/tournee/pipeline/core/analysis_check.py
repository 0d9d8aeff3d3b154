"""What of an analyser's answer is kept: sizes, and links that really occur in the mail.

Pure. The analyser read text written by strangers, so its answer is data to check. A text that does not fit is
refused (a failed attempt); an invented link is dropped and counted, because the rest of the answer still holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from tournee.pipeline.core.text import clean_text, clip, to_single_line
from tournee.pipeline.ports import Analysis, AnalysisRequest, KeyLink, Rejected

MAX_TITLE = 500
MAX_SUMMARY = 10_000
MAX_TERM = 200
MAX_TERMS = 30
MAX_LINKS = 20
MAX_WHY = 500
MAX_LANGUAGE = 35
MAX_READING_MINUTES = 24 * 60


@dataclass(frozen=True, slots=True)
class CheckedAnalysis:
    """An analysis fit to be stored, and how many of its links do not occur in the mail."""

    analysis: Analysis
    invented_links: int


def check_analysis(analysis: Analysis, request: AnalysisRequest) -> CheckedAnalysis:
    """Answer what may be stored. Raises `Rejected` for an oversized text, or no summary of a mail that has text."""
    summary = clean_text(analysis.summary).strip()
    if len(analysis.title) > MAX_TITLE or len(summary) > MAX_SUMMARY:
        raise Rejected(f"the analysis is too long: title {len(analysis.title)}, summary {len(summary)} characters")
    if not summary and request.text.strip():
        raise Rejected("the analysis has no summary")
    known = {link.url for link in request.links}
    links = _check_links(analysis.key_links, known)
    title = to_single_line(analysis.title, MAX_TITLE) or to_single_line(request.subject, MAX_TITLE)
    checked = replace(
        analysis,
        title=title or to_single_line(request.sender, MAX_TITLE),
        summary=summary,
        summary_language=to_single_line(analysis.summary_language, MAX_LANGUAGE) or "und",
        language=to_single_line(analysis.language, MAX_LANGUAGE) or "und",
        topics=_check_terms(analysis.topics),
        entities=_check_terms(analysis.entities),
        key_links=links,
        reading_minutes=min(max(analysis.reading_minutes, 0), MAX_READING_MINUTES),
        kind=to_single_line(analysis.kind, MAX_TERM) or "newsletter",
    )
    invented = sum(1 for link in analysis.key_links if link.url not in known)
    return CheckedAnalysis(checked, invented)


def _check_terms(terms: Iterable[str]) -> Sequence[str]:
    lines = (to_single_line(term, MAX_TERM) for term in terms)
    return tuple(dict.fromkeys(line for line in lines if line))[:MAX_TERMS]


def _check_links(links: Iterable[KeyLink], known: set[str]) -> Sequence[KeyLink]:
    kept = {
        link.url: KeyLink(link.url, clip(clean_text(link.why), MAX_WHY))
        for link in links
        if link.url in known and link.url.lower().startswith(("http://", "https://"))
    }
    return tuple(kept.values())[:MAX_LINKS]
