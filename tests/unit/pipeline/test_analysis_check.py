"""An analyser's answer is data written by a stranger until it is checked."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tournee.pipeline.core.analysis_check import MAX_LINKS, MAX_TERMS, check_analysis
from tournee.pipeline.ports import Analysis, AnalysisRequest, KeyLink, Link, Rejected

REQUEST = AnalysisRequest(
    message_id="<1@example.org>",
    subject="Subject\r\nline",
    sender="Daily <daily@example.org>",
    text="Some text",
    links=(Link("https://example.org/a"), Link("mailto:x@example.org")),
)
ANALYSIS = Analysis(
    title="Title",
    summary="Summary",
    summary_language="en",
    language="en",
    topics=("rust",),
    entities=(),
    key_links=(KeyLink("https://example.org/a", "why"),),
    reading_minutes=3,
    kind="newsletter",
)


def test_a_good_analysis_passes_unchanged() -> None:
    checked = check_analysis(ANALYSIS, REQUEST)
    assert checked.analysis == ANALYSIS
    assert checked.invented_links == 0


def test_an_invented_link_is_dropped_and_counted() -> None:
    links = (KeyLink("https://example.org/a", "why"), KeyLink("https://evil.example/", "!"), KeyLink("mailto:x", ""))
    checked = check_analysis(replace(ANALYSIS, key_links=links), REQUEST)
    assert [link.url for link in checked.analysis.key_links] == ["https://example.org/a"]
    assert checked.invented_links == 2


def test_a_link_of_the_mail_that_is_no_web_link_is_dropped() -> None:
    checked = check_analysis(replace(ANALYSIS, key_links=(KeyLink("mailto:x@example.org", ""),)), REQUEST)
    assert checked.analysis.key_links == ()


@pytest.mark.parametrize("change", [{"summary": " "}, {"summary": "x" * 10_001}, {"title": "x" * 501}])
def test_what_does_not_fit_is_a_failed_attempt(change: dict[str, str]) -> None:
    with pytest.raises(Rejected):
        check_analysis(replace(ANALYSIS, **change), REQUEST)  # type: ignore[arg-type]


def test_a_mail_without_text_needs_no_summary() -> None:
    assert check_analysis(replace(ANALYSIS, summary=""), replace(REQUEST, text=" ")).analysis.summary == ""


def test_a_missing_title_is_taken_from_the_subject() -> None:
    assert check_analysis(replace(ANALYSIS, title=""), REQUEST).analysis.title == "Subject line"


def test_nothing_that_postgresql_refuses_gets_through() -> None:
    dirty = replace(
        ANALYSIS, title="a\x00b", summary="c\x00\ud800", topics=("\x00", "d\x00", "d "), entities=("\udfff",)
    )
    analysis = check_analysis(dirty, REQUEST).analysis
    assert "\x00" not in repr(analysis)
    analysis.summary.encode()
    assert analysis.topics == ("d",)


def test_long_lists_are_cut_and_minutes_bounded() -> None:
    request = replace(REQUEST, links=tuple(Link(f"https://example.org/{n}") for n in range(99)))
    many = replace(
        ANALYSIS,
        topics=tuple(f"t{n}" for n in range(99)),
        key_links=tuple(KeyLink(link.url, "") for link in request.links),
        reading_minutes=-5,
    )
    analysis = check_analysis(many, request).analysis
    assert len(analysis.topics) == MAX_TERMS
    assert len(analysis.key_links) == MAX_LINKS
    assert analysis.reading_minutes == 0
