"""Language detection for one newsletter: a statistical model, backed by the function words that a text holds.

The model (py3langid) is good from a few hundred letters on; on a short text the words decide where they are clear.
Answers a two-letter code, `und` for a text without letters.
"""

from __future__ import annotations

from collections import Counter

from tournee.integrations.local.analyser.lexicon import LANGUAGES, read_lexicon
from tournee.integrations.local.analyser.words import find_words

UNDETERMINED = "und"
_SAMPLE_CHARACTERS = 8_000
_SURE_LETTERS = 400
_MIN_EVIDENCE = 3


def detect_language(text: str, hint: str = UNDETERMINED) -> str:
    """The language of `text`; `hint` decides only where the text itself says too little."""
    sample = text[:_SAMPLE_CHARACTERS]
    letters = sum(character.isalpha() for character in sample)
    known_hint = hint.casefold()[:2] if hint and hint.casefold() != UNDETERMINED else None
    if letters == 0:
        return known_hint or UNDETERMINED
    by_words = _detect_by_words(sample)
    if letters < 20:
        return known_hint or by_words or _detect_by_model(sample)
    if letters < _SURE_LETTERS and by_words:
        return by_words
    by_model = _detect_by_model(sample)
    if by_words and by_model != by_words and (by_words == known_hint or by_model not in LANGUAGES):
        return by_words
    if letters < _SURE_LETTERS and known_hint and _is_latin(sample):
        return known_hint
    return by_model


def _detect_by_words(text: str) -> str | None:
    """The language whose function words stand out clearly, or None."""
    words = Counter(word.casefold() for word, _, _ in find_words(text, ""))
    scores = sorted(
        ((sum(count for word, count in words.items() if word in read_lexicon(code).stop), code) for code in LANGUAGES),
        reverse=True,
    )
    (best, language), (second, _) = scores[:2]
    if best >= _MIN_EVIDENCE and best >= 1.3 * second and best >= 0.12 * words.total():
        return language
    return None


def _detect_by_model(text: str) -> str:
    import py3langid  # noqa: PLC0415 - it loads numpy and a model: only where used

    return str(py3langid.classify(text)[0])


def _is_latin(text: str) -> bool:
    letters = [character for character in text if character.isalpha()]
    return sum(character < "\u0250" for character in letters) > 0.8 * len(letters)
