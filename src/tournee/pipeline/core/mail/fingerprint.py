"""The content hash: one issue sent to many people has one hash, two issues never share one.

Owns what counts as personal: addresses, the recipient's name, greetings, the lines on how the mail was sent and how
to leave, and the parts of links that only one recipient got. Numbers, dates and prices stay: they tell issues apart.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final
from urllib.parse import unquote

from tournee.pipeline.ports import Link

_URL: Final = re.compile(r"(?:https?://|www\.)[^\s<>\"')\]]{1,4000}", re.I)
_ADDRESS: Final = re.compile(r"[^\s<>\"'(),:;@]{1,200}@[^\s<>\"'(),:;@]{1,250}")
_GREETING_WORDS: Final = (
    r"hi|hello|hey|dear|greetings|good (?:morning|afternoon|evening|day)|welcome back"
    r"|bonjour|bonsoir|salut|coucou|ch(?:er|ère|ers|ères)(?:\(e\)|·e)?"
    r"|hallo|liebe[rs]?|guten (?:tag|morgen|abend)|sehr geehrte[rs]?|servus|moin|grüss gott"
    r"|hola|buen[oa]s (?:días|tardes|noches)|estimad[oa]s?|querid[oa]s?"
    r"|ciao|gentile|caro|cara|buongiorno|olá|prezad[oa]|car[oa]|beste|geachte"
)
_GREETING_LINE: Final = re.compile(rf"(?:{_GREETING_WORDS})(?:[ ,!][^\n.?]{{0,60}})?[,!:.\s]*\Z")
_GREETING_START: Final = re.compile(rf"(?:{_GREETING_WORDS})\b[^\n,!.:?]{{0,40}}[,!:]\s*")
_GREETING_LINES: Final = 40
_PERSONAL_LINE: Final = re.compile(
    r"\b(?:(?:was|is|been|were) sent to|sent to (?:you|this)|you(?:'re| are) (?:receiving|subscribed)"
    r"|you (?:received|signed up)"
    r"|unsubscribe|opt[- ]?out|manage (?:your )?(?:preferences|subscription)|update (?:your )?(?:profile|preferences)"
    r"|view (?:this )?(?:e-?mail |it )?(?:in|on)(?: your| a| the)? browser|view online|web version|forward to a friend"
    r"|a été envoyé|vous recevez|désabonner|désinscri\w{1,12}|version en ligne|voir dans (?:le|votre) navigateur"
    r"|ne plus recevoir"
    r"|wurde (?:an|gesendet|verschickt|versandt)|(?:sie|du) (?:erhalten|erhältst|bekommst|bekommen)|gesendet an"
    r"|abmelden|abbestellen"
    r"|abgemeldet|austragen|im browser|online[- ]?(?:version|ansicht)|webversion|darstellungsprobleme"
    r"|kunden(?:nummer|nr)"
    r"|se ha enviado|enviado a|recib(?:es|e|iste) este|darse de baja|date de baja|cancelar (?:la )?suscripci"
    r"|ver en (?:el|tu) navegador"
    r"|è stat[oa] inviat|ricevi questa|disiscriv|cancella l'iscrizione|foi enviado|cancelar (?:a )?inscri|descadastrar"
    r"|is verzonden|verstuurd naar|u ontvangt|je ontvangt|afmelden|uitschrijven|customer (?:number|no|id))"
)
_PERSONAL_LINE_CHARACTERS: Final = 400
_WORDLIKE: Final = re.compile(r"[a-z]{1,30}(?:[-_.+][a-z0-9]{1,20}){0,20}|[a-z]{1,14}\d{0,4}|\d{1,8}")
_BLANKS: Final = re.compile(r"\s+")
_NAME_PART: Final = re.compile(r"[^\W\d_]{3,}")
_SHORT_CHARACTERS: Final = 400


def hash_content(
    subject: str, text: str, recipients: Iterable[str] = (), links: Sequence[Link] = (), images: Sequence[str] = ()
) -> str:
    """Hex SHA-256 of the normalised subject and visible text.

    `recipients` are the names and addresses the mail was sent to. Links and images count only for a mail that has
    hardly any text, without the parts that may be personal: issues made of pictures differ in nothing else.
    """
    names = _compile_names(recipients)
    normalised = normalise_text(text, names)
    if len(normalised) < _SHORT_CHARACTERS:
        addresses = (*(link.url for link in links), *images)
        normalised += "\n" + "\n".join(dict.fromkeys(strip_personal_url(address) for address in addresses))
    material = normalise_line(subject, names) + "\n\n" + normalised
    return hashlib.sha256(material.encode("utf-8", "replace")).hexdigest()


def normalise_text(text: str, names: re.Pattern[str] | None = None) -> str:
    """The text without what differs between recipients: one paragraph a line, NFKC, case folded."""
    kept: list[str] = []
    for index, line in enumerate(text.split("\n")):
        normal = normalise_line(line, names)
        normal = normal[find_greeting_end(index, normal) or 0 :]
        if is_personal_line(normal):
            continue
        if any(character.isalnum() for character in normal):
            kept.append(normal)
    if not kept:
        return " ".join(normalise_line(text, names).split())
    return "\n".join(kept)


def find_greeting_end(index: int, normal: str) -> int | None:
    """Where the greeting ends with which a normalised line begins, the `index`th of its text; None: there is none."""
    if index >= _GREETING_LINES:
        return None
    if _GREETING_LINE.match(normal):
        return len(normal)
    opening = _GREETING_START.match(normal)
    return opening.end() if opening else None


def is_personal_line(normal: str) -> bool:
    """True for a normalised line on how the mail was sent, and how to leave."""
    return len(normal) <= _PERSONAL_LINE_CHARACTERS and _PERSONAL_LINE.search(normal) is not None


def strip_personal_url(url: str) -> str:
    """Host and readable path of an address: no query, no fragment, no segment that looks like a token."""
    scheme_less = url.partition("://")[2] or url
    address = scheme_less.partition("?")[0].partition("#")[0]
    authority, _, path = address.partition("/")
    host = authority.rpartition("@")[2]
    segments = [unquote(segment).lower() for segment in path.split("/")[:20]]
    return "/".join([host.lower(), *(segment for segment in segments if _WORDLIKE.fullmatch(segment))])


def normalise_line(line: str, names: re.Pattern[str] | None = None) -> str:
    """A line without case, width, runs of blanks, addresses, names and the personal parts of its links."""
    normal = unicodedata.normalize("NFKC", line).casefold()
    if "/" in normal or "www." in normal:
        normal = _URL.sub(lambda found: strip_personal_url(found[0]), normal)
    if "@" in normal:
        normal = _ADDRESS.sub("", normal)
    if names is not None:
        normal = names.sub("", normal)
    return _BLANKS.sub(" ", normal).strip()


def _compile_names(recipients: Iterable[str]) -> re.Pattern[str] | None:
    """One pattern for the names (and their parts) of the recipients; None when there are none."""
    found: set[str] = set()
    for recipient in list(recipients)[:4]:
        name = unicodedata.normalize("NFKC", recipient.partition("@")[0] if "@" in recipient else recipient).casefold()
        found.update(_NAME_PART.findall(name)[:6])
        if name.strip():
            found.add(name.strip())
    if not found:
        return None
    return re.compile(r"\b(?:" + "|".join(re.escape(name) for name in sorted(found, key=len, reverse=True)) + r")\b")
