"""Words: how a text is taken apart into them.

One rule for all the analyser: a word is a run of letters and digits that begins with a letter, with inner
apostrophes, hyphens and the signs of technical names (`C++`, `node.js`). Elided articles (`l'équipe`, `dell'anno`)
are taken off.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tournee.integrations.local.analyser.lexicon import Lexicon, stem_word

_WORD = re.compile(r"[^\W\d_][\w]*(?:[-'’.&][^\W_][\w]*)*[+#]{0,2}")
_ELISION = re.compile(
    r"(?:[ldjmtsnc]|qu|jusqu|lorsqu|puisqu|quoiqu|un|dell|all|nell|sull|dall|quell|quest)['’](?=\w)", re.IGNORECASE
)
ELIDING_LANGUAGES = frozenset({"fr", "it", "ca"})
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uac00-\ud7af]")
_READABLE_RUN = re.compile(r"\w\S*")

_ADDRESS = re.compile(
    r"(?:https?://|www\.)\S{1,2048}|\S{1,64}@\S{1,255}|(?<!\w)[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}/\S{0,2048}|(?<!\S)/\S{1,255}"
)


def hide_addresses(text: str) -> str:
    """`text` with web and mail addresses and paths replaced by a full stop, so that nothing joins across them."""
    return _ADDRESS.sub(" . ", text)


def drop_addresses(text: str) -> str:
    """`text` without web and mail addresses and paths."""
    return _ADDRESS.sub("", text)


def find_words(text: str, language: str) -> Iterator[tuple[str, int, int]]:
    """Words with where they begin and end in `text`, elided articles taken off."""
    elides = language in ELIDING_LANGUAGES
    for match in _WORD.finditer(text):
        start, end = match.span()
        if elides and (article := _ELISION.match(text, start, end)):
            start = article.end()
        word = text[start:end]
        if not elides and word[-2:] in ("'s", "’s"):
            word, end = word[:-2], end - 2
        if word:
            yield word, start, end


def list_stems(text: str, lexicon: Lexicon) -> list[str]:
    """The stems of the words that carry meaning, in order, repeats kept."""
    stems = []
    for word, _, _ in find_words(text, lexicon.language):
        folded = word.casefold()
        if len(folded) > 1 and folded not in lexicon.stop:
            stems.append(stem_word(folded, lexicon.language))
    return stems


def count_cjk(text: str) -> int:
    """Characters of scripts written without spaces (Chinese, Japanese) and of Hangul."""
    return len(_CJK.findall(text))


def count_reading_words(text: str) -> int:
    """Words to be read: what stands between spaces and has a letter or digit; two CJK characters count as one word."""
    characters = count_cjk(text)
    spaced = _CJK.sub(" ", text) if characters else text
    return len(_READABLE_RUN.findall(spaced)) + (characters + 1) // 2
