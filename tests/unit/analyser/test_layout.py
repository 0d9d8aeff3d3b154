"""How a mail's lines become blocks."""

from tests.unit.analyser.samples import ENGLISH, GERMAN
from tournee.integrations.local.analyser.layout import BlockKind, cut_to_budget, split_blocks


def test_hard_wrapped_lines_become_one_paragraph() -> None:
    texts = [block.text for block in split_blocks(ENGLISH.text)]

    assert any(text.startswith("The harbour bridge will") and text.endswith("cheaper than planned.") for text in texts)


def test_lines_that_stand_for_themselves_are_not_joined() -> None:
    blocks = split_blocks("Home\nNews\nContact\nA longer heading over the text\nThe text itself begins here and ends.")

    assert [block.text for block in blocks][:4] == ["Home", "News", "Contact", "A longer heading over the text"]


def test_headings_prose_and_buttons_are_told_apart() -> None:
    kinds = {block.text: block.kind for block in split_blocks(GERMAN.text)}

    assert kinds["Tomaten richtig vorziehen"] is BlockKind.HEADING
    assert kinds["Im Browser ansehen"] is BlockKind.FRAGMENT
    assert next(kind for text, kind in kinds.items() if text.startswith("Am 3. März")) is BlockKind.PROSE


def test_the_footer_is_left_out() -> None:
    text = "\n".join(block.text for block in split_blocks(ENGLISH.text))

    assert "ferry" in text
    assert "All rights reserved" not in text
    assert "Unsubscribe" not in text


def test_marks_of_lists_links_and_notes_are_taken_off() -> None:
    blocks = split_blocks(
        "* First of all things\n2) Second of *all* things [3]\n## A [linked](https://e.example/x) one"
    )

    assert [block.text for block in blocks] == ["First of all things", "Second of all things", "A linked one"]


def test_the_budget_cuts_at_a_line_end() -> None:
    text = "\n".join(["a line of text"] * 100)

    cut = cut_to_budget(text, 200)

    assert len(cut) <= 200
    assert set(cut.split("\n")) == {"a line of text"}


def test_html_that_was_sent_as_plain_text_loses_its_tags() -> None:
    blocks = split_blocks(
        '<p>The <b>bridge</b>&nbsp;opens.</p><ul><li>One <a href="x">item</a> of all</li></ul>\nif a < b'
    )

    assert [block.text for block in blocks] == ["The bridge opens.", "One item of all", "if a < b"]
