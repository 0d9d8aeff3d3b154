"""Where a sentence ends, and which sentences can stand in a summary."""

import pytest

from tournee.integrations.local.analyser.lexicon import read_lexicon
from tournee.integrations.local.analyser.sentences import can_stand, split_sentences


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "Dr. Smith of Acme Inc. arrived at 5 p.m. on time. He left.", 2),
        ("en", "It costs 3.5 million. Is that much? No!", 3),
        ("en", 'She said "It works." Then she left.', 2),
        ("en", "J. R. Tolkien wrote it. Read it.", 2),
        ("en", "Node.js 20.1 is out. Upgrade now.", 2),
        ("fr", "M. Dupont habite av. Foch à Tours. Il part demain. Vraiment ? Oui !", 4),
        ("de", "Am 3. Oktober feiern wir z. B. in Berlin. Kommen Sie mit.", 2),
        ("de", "Die Müller GmbH & Co. KG liefert. Wir danken.", 2),
        ("ja", "今日は晴れです。明日は雨です。", 2),
    ],
)
def test_sentences_end_where_a_reader_would_end_them(language: str, text: str, expected: int) -> None:
    sentences = list(split_sentences(text, read_lexicon(language)))

    assert len(sentences) == expected, sentences
    assert "".join(sentences).replace(" ", "") == text.replace(" ", "")


@pytest.mark.parametrize(
    "text",
    [
        "and then they went home to sleep for a while.",
        "The article continues with many more details of the",
        "BUY OUR NEW PRODUCT NOW AND SAVE A LOT OF MONEY.",
        "You can see it all at https://example.org/page today.",
        "Click here to unsubscribe from this list at any time.",
        "Apples, Pears, Plums, Grapes, Melons, Figs, Dates.",
        'He said "this quotation is not closed by anyone here.',
        "Too short.",
    ],
)
def test_what_is_no_whole_sentence_of_the_content_cannot_stand(text: str) -> None:
    assert not can_stand(text, read_lexicon("en"))


def test_a_plain_sentence_can_stand() -> None:
    assert can_stand("The council decided on Tuesday to keep the library open.", read_lexicon("en"))


@pytest.mark.parametrize(
    ("sentence", "stands"),
    [
        ("See you next week, when we will talk about the harbour and its cranes.", False),
        ("« À demain, avant sept heures : après, il n'y a plus de brioche à vendre.", False),
        ("Bis nächste Woche, wenn wir über den neuen Hafen der Stadt berichten.", False),
        ("See your doctor when the harbour and its cranes make you feel unwell.", True),
    ],
)
def test_taking_leave_is_no_summary(sentence: str, stands: bool) -> None:
    language = "fr" if "demain" in sentence else "de" if "Woche" in sentence else "en"
    assert can_stand(sentence, read_lexicon(language)) is stands
