"""What is analysed for all readers of an issue names none of them, and stays readable."""

from __future__ import annotations

import pytest

from tournee.pipeline.core.mail.sharing import Reader, describe_reader, share_lines, share_text

ALICE = describe_reader(["Alice Martin", "alice.martin@example.org"], "The Daily <news@daily.example>")
BODY = "Prices rose by 3% in May. Wages did not follow."


@pytest.mark.parametrize(
    ("personal", "shared"),
    [
        (f"Dear Alice,\n\n{BODY}", BODY),
        (f"Moin Dieter, vielen Dank. {BODY}", f"Vielen Dank. {BODY}"),
        (f"Alice, this is for you. {BODY}", f"This is for you. {BODY}"),
        (f"Good news, Alice! {BODY}", f"Good news! {BODY}"),
        (f"We know that Alice reads us daily. {BODY}", BODY),
        (f"We know that ALICE MARTIN reads us. {BODY}", BODY),
        (f"{BODY}\nThis mail was sent to alice.martin@example.org", BODY),
        (f"{BODY}\nYour login is alice.martin, keep it.", BODY),
        (f"{BODY}\nWrite to reply+8f3a@daily.example.", f"{BODY}\nWrite to …@daily.example."),
        (f"{BODY}\nUnsubscribe: https://daily.example/u/8f3a99", BODY),
        (BODY, BODY),
        ("", ""),
    ],
)
def test_a_shared_text_is_the_text_without_its_reader(personal: str, shared: str) -> None:
    assert share_text(personal, ALICE) == shared


def test_a_gap_ends_a_paragraph() -> None:
    assert share_text("Prices rose. Alice knows that. Wages fell.", ALICE) == "Prices rose.\n\nWages fell."


def test_what_an_issue_is_about_is_no_name_even_if_its_reader_is_called_so() -> None:
    reader = describe_reader(["Dieter Wolf", "wolf@example.org"], "Wald <wald@example.org>")
    text = "\n".join(f"Der Wolf war {year} zurück. Dieter Wolf weiß das." for year in range(2015, 2022))
    shared = share_text(text, reader)
    assert shared.count("Der Wolf") == 7
    assert "Dieter" not in shared


def test_words_of_the_sender_and_of_roles_name_no_reader() -> None:
    reader = describe_reader(["Daily Subscribers", "news@daily.example"], "The Daily <news@daily.example>")
    assert reader == Reader(words=frozenset({"news@daily.example"}))
    assert share_text("Daily news for subscribers.", reader) == "Daily news for subscribers."


@pytest.mark.parametrize(
    ("personal", "shared"),
    [
        ("Alice, your week in music", "Your week in music"),
        ("Alice's week in music", "week in music"),
        ("Your week in music, Alice", "Your week in music"),
        ("For Alice Martin: the week", "For : the week"),
        ("Malice in music – alice", "Malice in music – alice"),
    ],
)
def test_a_subject_loses_the_name_alone(personal: str, shared: str) -> None:
    assert share_lines([personal], ALICE) == [shared]
