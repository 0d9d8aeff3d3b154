"""Language detection."""

import pytest

from tests.unit.analyser.samples import ENGLISH, FRENCH, GERMAN
from tournee.integrations.local.analyser.language import detect_language


@pytest.mark.parametrize(
    ("text", "language"),
    [
        (ENGLISH.text, "en"),
        (FRENCH.text, "fr"),
        (GERMAN.text, "de"),
        ("El ayuntamiento ha decidido que la biblioteca de la ciudad se queda abierta este año.", "es"),
        ("Il comune ha deciso che la biblioteca della città resta aperta anche questo anno.", "it"),
        ("A câmara decidiu que a biblioteca da cidade fica aberta até o fim do ano para todos.", "pt"),
        ("De gemeente heeft besloten dat de bibliotheek van de stad dit jaar open blijft.", "nl"),
        ("Городской совет решил, что библиотека останется открытой до конца года.", "ru"),
    ],
)
def test_the_language_of_a_text_is_found(text: str, language: str) -> None:
    assert detect_language(text) == language


def test_the_hint_decides_only_where_the_text_says_too_little() -> None:
    assert detect_language("Katjes", "de") == "de"
    assert detect_language(FRENCH.text, "en") == "fr"
    assert detect_language("", "fr") == "fr"


def test_a_text_without_letters_has_no_language() -> None:
    assert detect_language("42 ★ 17") == "und"
