"""What alerts say, in the owner's language.

Pure data. A language is complete or it does not exist: `Wording` has no defaults.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wording:
    """The fixed texts of an alert in one language; `{…}` are filled in by `compose_alert`."""

    untitled: str
    from_sender: str
    reading_time: str
    summary_missing: str
    key_links: str
    why_default: str
    why_rule: str
    criteria: Mapping[str, str]
    colon: str


_ENGLISH = Wording(
    untitled="(untitled)",
    from_sender="From {sender}",
    reading_time="{minutes} min read",
    summary_missing="This issue has no text to sum up.",
    key_links="Key links",
    why_default="You get this because each newsletter in your mailbox “{mailbox}” is announced to you.",
    why_rule="You get this because it matches your rule: {criteria}.",
    criteria={"sender": "sender “{}”", "topic": "topic “{}”", "keyword": "keyword “{}”", "language": "language “{}”"},
    colon=":",
)

_FRENCH = Wording(
    untitled="(sans titre)",
    from_sender="De {sender}",
    reading_time="{minutes} min de lecture",
    summary_missing="Ce numéro ne contient pas de texte à résumer.",
    key_links="Liens à retenir",
    why_default="Vous recevez ce message parce que chaque newsletter de votre boîte « {mailbox} » vous est annoncée.",
    why_rule="Vous recevez ce message parce que cette newsletter correspond à votre règle : {criteria}.",
    criteria={
        "sender": "expéditeur « {} »",
        "topic": "sujet « {} »",
        "keyword": "mot-clé « {} »",
        "language": "langue « {} »",
    },
    colon=" :",
)

WORDINGS: Mapping[str, Wording] = {"en": _ENGLISH, "fr": _FRENCH}
