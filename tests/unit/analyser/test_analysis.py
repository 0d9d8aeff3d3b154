"""The analysis as a whole: what it says of real-looking mails, and what holds for any mail whatever."""

import asyncio
import pickle
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.analyser.samples import ALL, ENGLISH, FRENCH, GERMAN, make_request
from tournee.integrations.local.analyser import EmbeddedAnalyser, analyse_text
from tournee.integrations.local.analyser.kind import KINDS
from tournee.integrations.local.analyser.summary import MAX_SUMMARY_CHARACTERS
from tournee.pipeline.core.analysis_check import check_analysis
from tournee.pipeline.ports import Analysis, AnalysisRequest, Link


@pytest.mark.parametrize("request_", ALL, ids=["en", "fr", "de"])
def test_the_summary_is_made_of_whole_sentences_of_the_mail(request_: AnalysisRequest) -> None:
    analysis = analyse_text(request_)
    flat = " ".join(request_.text.split())

    assert 80 <= len(analysis.summary) <= MAX_SUMMARY_CHARACTERS
    assert analysis.summary[0].isupper()
    assert analysis.summary[-1] in ".!?"
    rest = analysis.summary
    while rest:
        whole = [end for end in range(1, len(rest) + 1) if rest[end - 1] in ".!?" and rest[:end] in flat]
        assert whole, f"no sentence of the mail: {rest!r}"
        rest = rest[max(whole) :].lstrip()


@pytest.mark.parametrize("request_", ALL, ids=["en", "fr", "de"])
def test_nothing_of_the_frame_is_in_the_analysis(request_: AnalysisRequest) -> None:
    analysis = analyse_text(request_)
    said = f"{analysis.summary} {analysis.topics} {analysis.key_links}".casefold()

    for frame in (
        "unsubscribe",
        "désinscri",
        "abmelden",
        "browser",
        "navigateur",
        "receiving",
        "recevez",
        "erhalten",
        "facebook",
    ):
        assert frame not in said


def test_an_english_issue_is_understood() -> None:
    analysis = analyse_text(ENGLISH)

    assert analysis.title == "Harbour bridge reopens after two years"
    assert analysis.language == analysis.summary_language == "en"
    assert "bridge will reopen" in analysis.summary
    assert {"bridge", "ferry"} & {word for topic in analysis.topics for word in topic.casefold().split()}
    assert "Port Authority" in analysis.entities
    assert analysis.key_links[0].url == "https://letter.example/bridge"
    assert analysis.reading_minutes == 1


def test_a_button_is_explained_by_what_stands_before_it() -> None:
    links = {link.url: link.why for link in analyse_text(ENGLISH).key_links}

    assert "ferry" in links["https://letter.example/ferry"]


def test_a_french_issue_is_understood() -> None:
    analysis = analyse_text(FRENCH)

    assert analysis.language == "fr"
    assert "La greffe des pommiers commence en mars" in analysis.summary
    assert "plaisir de vous présenter" not in analysis.summary
    assert any("pommiers" in topic or "greffe" in topic or "taille" in topic for topic in analysis.topics)
    assert "Croqueurs de Pommes" in analysis.entities


def test_german_nouns_are_topics_and_not_names() -> None:
    analysis = analyse_text(GERMAN)

    assert "Tomaten" in analysis.topics
    assert "Kompost" in analysis.topics
    assert "Stadtwerke Leipzig GmbH" in analysis.entities
    assert not {"Tomaten", "Kompost", "Pflanzen", "Temperatur", "Licht"} & set(analysis.entities)


def test_a_mail_without_visible_text_has_its_subject_and_no_summary() -> None:
    analysis = analyse_text(make_request("", "RE: Big news!"))

    assert (analysis.title, analysis.summary, analysis.reading_minutes) == ("Big news!", "", 0)
    assert not analysis.key_links


def test_a_generic_subject_gives_way_to_the_first_headline() -> None:
    analysis = analyse_text(make_request("A harbour full of ships\n\nThe ships came in last night.", "Newsletter"))

    assert analysis.title == "A harbour full of ships"


@pytest.mark.parametrize(
    "text",
    [
        "今日は東京で新しい製品が発表されました。価格はまだ公表されていません。発売は来月の予定です。",
        "Городской совет решил, что библиотека останется открытой до конца года. Ремонт начнётся весной.",
        "أعلنت المدينة اليوم عن افتتاح المكتبة الجديدة. سيبدأ العمل في الربيع القادم.",
        "오늘 서울에서 새로운 제품이 발표되었습니다. 가격은 아직 공개되지 않았습니다.",
    ],
)
def test_other_scripts_get_a_title_and_their_first_sentences(text: str) -> None:
    analysis = analyse_text(make_request(text))

    assert analysis.title
    assert analysis.summary
    assert analysis.summary.split("·")[0].strip() in text
    assert analysis.reading_minutes == 1


def test_only_addresses_of_the_mail_that_a_reader_would_follow_are_key_links() -> None:
    links = (
        Link("javascript:alert(1)", "The most important link of all"),
        Link("mailto:a@b.example", "Write to the editors today"),
        Link("https://e.example/p.gif", "A picture of the new bridge"),
        Link("http://[broken", "A broken address that parses nowhere"),
        Link("https://e.example/a", "The most important report of the year"),
        Link("https://e.example/a", "here"),
        Link("https://e.example/preferences", "Manage your preferences"),
    )

    analysis = analyse_text(make_request("The most important report of the year is out now.", "Report", links))

    assert [link.url for link in analysis.key_links] == ["https://e.example/a"]
    assert analysis.key_links[0].why == "The most important report of the year"


def test_kinds_are_told_apart() -> None:
    sale = (
        "Winter sale! Save up to 50 % today.\nCoat\n€ 49.90\nShop now\nBoots\n€ 89.90\nShop now\nFree shipping on all."
    )
    release = "We are happy to announce version 4.0 of the engine. The new version is now available for everybody."

    assert analyse_text(make_request(sale, "Winter sale: -50 % discount")).kind == "promotion"
    assert analyse_text(make_request(release, "Announcing version 4.0")).kind == "announcement"
    assert analyse_text(ENGLISH).kind == "newsletter"


ODD_WORDS = (
    """the The and Bridge of http://e.example/x unsubscribe 12,50 € Dr. z. B. ( " « … ... • - # [a](b) 日本。 é ! ? ."""
)
words = st.sampled_from([*ODD_WORDS.split(), "\u200b", "\x00", "\n", "\n\n"])
mails = st.lists(st.one_of(words, st.text(max_size=12)), max_size=120).map(" ".join) | st.text(max_size=400)


@given(text=mails, subject=st.text(max_size=80), url=st.text(max_size=60))
@settings(max_examples=150, deadline=None)
def test_any_mail_is_analysed_and_the_answer_is_fit_to_be_stored(text: str, subject: str, url: str) -> None:
    asked = make_request(text, subject, (Link(f"https://e.example/{url}", text[:40]), Link(url, subject)))

    analysis = analyse_text(asked)

    assert len(analysis.summary) <= MAX_SUMMARY_CHARACTERS
    assert len(analysis.title) <= 200
    assert analysis.kind in KINDS
    assert {link.url for link in analysis.key_links} <= {link.url for link in asked.links}
    assert analyse_text(asked) == analysis
    assert pickle.loads(pickle.dumps(analysis)) == analysis
    if any(character.isalnum() for character in text):
        assert check_analysis(analysis, asked).invented_links == 0


@pytest.mark.parametrize(
    "text",
    [
        "a" * 2_000_000,
        "The bridge opens. " * 100_000,
        "(" * 500_000,
        "[" * 100_000 + "](" * 100_000,
        "*a " * 300_000,
        "http://" * 200_000,
        "A.B.C.D." * 200_000,
        "word-" * 300_000,
        "Üb " * 500_000,
        "@a.b/" * 300_000,
        "\n".join(f"Line {number} of the mail names Person Number{number}." for number in range(60_000)),
    ],
    ids=lambda text: repr(text[:12]),
)
def test_time_is_bounded_whatever_a_mail_holds(text: str) -> None:
    analyse_text(ENGLISH)
    started = time.process_time()

    analyse_text(
        make_request(text, text[:5_000], tuple(Link(f"https://e.example/{n}", text[:50]) for n in range(2_000)))
    )

    assert time.process_time() - started < 4


async def test_the_work_runs_where_the_runner_says() -> None:
    ran: list[Callable[[AnalysisRequest], Analysis]] = []

    async def run(function: Callable[[AnalysisRequest], Analysis], asked: AnalysisRequest) -> Analysis:
        ran.append(pickle.loads(pickle.dumps(function)))
        return function(asked)

    analyser = EmbeddedAnalyser(run)

    assert await analyser.analyse(GERMAN) == analyse_text(GERMAN)
    assert ran == [analyse_text]
    assert (analyser.name, analyser.provider) == ("embedded", None)
    assert analyser.cache_version


async def test_threads_do_not_disturb_one_another() -> None:
    analyser = EmbeddedAnalyser()

    answers = await asyncio.gather(*(analyser.analyse(asked) for asked in ALL * 4))

    assert answers == [analyse_text(asked) for asked in ALL * 4]
