"""What a reader must not find in an analysis: fine print, headings for sentences, menus, weekdays for names."""

from __future__ import annotations

from tournee.integrations.local.analyser import analyse_text
from tournee.pipeline.ports import Analysis, AnalysisRequest, Link

NEWS = (
    "The council opened a new ferry line between the harbour and the island on Saturday. "
    "Ferries now leave every hour, and bicycles travel for free until the end of the summer.\n\n"
    "The old lighthouse has been restored by volunteers who worked on it for eleven years. "
    "Visitors can climb its tower again and see the whole bay from the gallery.\n"
)


def analyse(
    text: str, subject: str = "Harbour Post 12", links: tuple[Link, ...] = (), language: str = "en"
) -> Analysis:
    return analyse_text(AnalysisRequest(None, subject, "Harbour Post", text, links, language))


def test_fine_print_is_no_summary() -> None:
    text = NEWS + "\n*Valid for seven days only and for no other ferry line. Prices may vary from those on board.\n"
    text += "\nAll prices are correct at the time of writing and are subject to change without any notice.\n"
    summary = analyse(text).summary
    assert "ferry" in summary
    assert not any(phrase in summary for phrase in ("Valid", "vary", "subject to change"))


def test_a_heading_within_a_paragraph_is_no_sentence_of_the_summary() -> None:
    text = "New ferry line between harbour and island. " + NEWS
    assert "New ferry line between" not in analyse(text).summary


def test_a_sentence_that_repeats_the_title_is_not_shown_again() -> None:
    title = "New ferry line opens between the harbour and the island"
    assert title not in analyse(f"{title} today.\n\n{NEWS}", title).summary


def test_an_advertisement_that_shouts_first_is_not_the_news() -> None:
    text = (
        "SPECIAL FERRY OFFER FROM HARBOUR LINES: We've teamed up with the harbour lines for ferry tickets.\n\n" + NEWS
    )
    assert "SPECIAL FERRY OFFER" not in analyse(text).summary


def test_references_of_markdown_are_not_shown() -> None:
    text = NEWS.replace("a new ferry line", "a [new ferry line][ferry]") + "\n[ferry]: https://example.org/ferry\n"
    analysis = analyse(text)
    assert "new ferry line" in analysis.summary
    assert "[" not in analysis.summary


def test_weekdays_peoples_and_units_are_no_names() -> None:
    text = (
        NEWS + "\nWe sail on Sat and Sun with our French crew, our French captain and 20 MB of maps, says Anna Berg.\n"
    )
    entities = analyse(text).entities
    assert "Anna Berg" in entities
    assert {"Sat", "Sun", "French", "MB"}.isdisjoint(entities)


def test_a_name_ends_before_a_word_that_belongs_to_none() -> None:
    text = NEWS + "\nAll of this was told to us by Anna Berg Now that the work of the volunteers is done.\n"
    assert "Anna Berg" in analyse(text).entities


def test_menus_accounts_and_pointers_are_no_key_links() -> None:
    links = (
        Link("https://example.org/lighthouse", "The lighthouse opens its tower again"),
        Link("https://example.org/reviews", "Reviews"),
        Link("https://example.org/forgot_password", "Lost your password?"),
        Link("https://example.org/login", "Enter the members' harbour"),
    )
    text = f"{NEWS}\nThe lighthouse opens its tower again\n\nHome | Reviews | Downloads | All services\n"
    text += "\nLost your password?\n\nEnter the members' harbour\n"
    assert [link.url for link in analyse(text, links=links).key_links] == ["https://example.org/lighthouse"]


def test_a_headline_cut_by_its_line_is_not_shown() -> None:
    text = "Harbour news of the day\n\nThe ferry sails again from\n\nLighthouse restored by volunteers\n\n"
    text += "Bicycles travel free this summer\n"
    summary = analyse(text, "Post").summary
    assert "again from" not in summary
    assert "Lighthouse restored" in summary
