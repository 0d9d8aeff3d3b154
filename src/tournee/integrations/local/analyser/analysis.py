"""The analysis of one newsletter, put together: a pure function of the request.

It does no I/O beyond reading its own word lists, answers the same for the same request, is safe in several threads
and processes, and never fails for what a mail says: no text, one script or the other, hostile input.
"""

from __future__ import annotations

from tournee.integrations.local.analyser.entities import extract_entities
from tournee.integrations.local.analyser.kind import choose_kind, measure_reading_minutes
from tournee.integrations.local.analyser.language import UNDETERMINED, detect_language
from tournee.integrations.local.analyser.layout import clean_line, cut_to_budget, split_blocks
from tournee.integrations.local.analyser.lexicon import read_lexicon
from tournee.integrations.local.analyser.links import choose_key_links
from tournee.integrations.local.analyser.summary import quote_beginning, summarise
from tournee.integrations.local.analyser.title import choose_title
from tournee.integrations.local.analyser.topics import extract_topics
from tournee.integrations.local.analyser.words import list_stems
from tournee.pipeline.ports import Analysis, AnalysisRequest

ANALYSER_VERSION = "3"
"""Raise it with every change that alters an answer: it is part of the analysis cache's key."""

_SUBJECT_CHARACTERS = 1_000
_READING_CHARACTERS = 1_000_000


def analyse_text(request: AnalysisRequest) -> Analysis:
    """Analyse one newsletter. A mail without visible text has its subject for a title and an empty summary."""
    text = cut_to_budget(request.text)
    subject = clean_line(request.subject[:_SUBJECT_CHARACTERS])
    blocks = split_blocks(text)
    content = "\n".join(block.text for block in blocks)
    language = detect_language(content or subject, request.language_hint)
    lexicon = read_lexicon(language)
    title = choose_title(subject, blocks, request.sender)
    topics = extract_topics(blocks, title, lexicon, request.sender)
    topic_stems = frozenset(list_stems(f"{title} {' '.join(topics)}", lexicon))
    summary = summarise(blocks, title, lexicon) or quote_beginning(text)
    return Analysis(
        title=title,
        summary=summary,
        summary_language=language if summary else UNDETERMINED,
        language=language,
        topics=topics,
        entities=extract_entities(blocks, lexicon),
        key_links=choose_key_links(request.links, blocks, topic_stems, lexicon),
        reading_minutes=measure_reading_minutes(request.text[:_READING_CHARACTERS]),
        kind=choose_kind(title, blocks),
    )
