"""In which language a text is written."""

from __future__ import annotations

import re
from typing import Final

from tournee.pipeline.core.mail.limits import LANGUAGE_CHARACTERS

UNDETERMINED: Final = "und"
_NOT_WORDS: Final = re.compile(r"https?://\S{1,2000}|\S{1,200}@\S{1,200}|[\W\d_]+")
_LEAST_LETTERS: Final = 40


def detect_language(text: str) -> str:
    """Two-letter code of the language, `und` for a text too short to tell.

    The model is loaded on the first call, half a second, so that importing this module stays cheap.
    """
    words = _NOT_WORDS.sub(" ", text[:LANGUAGE_CHARACTERS]).strip()
    if sum(len(word) for word in words.split()) < _LEAST_LETTERS:
        return UNDETERMINED
    import py3langid  # noqa: PLC0415 - it loads numpy and a model

    found: str = py3langid.classify(words.lower())[0]
    return found
