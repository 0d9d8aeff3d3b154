"""What the text says: how to leave, where to read online, that it is an issue; against it, receipts, codes, spam.

These rules carry a newsletter that comes with no list header at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from tournee.pipeline.core.detection import wording
from tournee.pipeline.core.detection.evidence import NOTHING, Evidence, Finding, Rule, Side

_OPENING_CHARACTERS: Final = 3_000
_CLOSING_CHARACTERS: Final = 3_000
_DATE_IN_SUBJECT: Final = re.compile(
    r"\b(?:19|20)\d\d[-/.]\d{1,2}[-/.]\d{1,2}\b|\b\d{1,2}[/.-]\d{1,2}[/.-](?:19|20)?\d\d\b"
    r"|\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,7}\.? \d{1,2}\b|\b\d{1,2}(?:st|nd|rd|th|\."
    r"|er)? (?:jan|feb|mar|m[äa]r|apr|ma[iy]|jun|jul|aug|sep|o[ck]t|nov|de[cz]|f[ée]v|avr|juin|juil|ao[ûu]|ene|abr"
    r"|ago|dic|gen|mag|giu|lug|set|ott|mrt|mei)[a-zéû]{0,7}\b"
    r"|\b(?:january|february|march|april|june|july|august|september|october|november|december|januar|februar"
    r"|m[äa]rz|juni|juli|oktober|dezember|janvier|f[ée]vrier|mars|avril|juin|juillet|ao[ûu]t|septembre|octobre"
    r"|novembre|d[ée]cembre|enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre"
    r"|diciembre|gennaio|febbraio|aprile|maggio|giugno|luglio|settembre|ottobre|dicembre)\b"
    r"|\b(?:monday|tuesday|wednesday|thursday|friday|saturday|sunday)\b"
)
_SUBJECT_SERIES: Final = re.compile(
    r"\b(?:news|newsletter|weekly|daily|monthly|digest|update|updates|bulletin|headlines|stories|announce\w{0,8}"
    r"|edition|issue|dispatch|review|roundup|week|alert|release[ds]?|tips?|webinar|seminar)\b"
    r"|lettre|infolettre|ausgabe|rundbrief|woche|hebdo|bolet[ií]n|nieuwsbrief|notiziario|aktion|angebot|rabatt"
    r"|nouvelles"
)
_QUOTED_LINE: Final = re.compile(r"^[ \t]{0,3}(?:[A-Za-z]{0,3}>|\|)", re.M)
_ATTRIBUTION: Final = re.compile(
    r"\b(?:wrote|writes|said|schrieb|a [ée]crit|escribi[oó]|ha scritto|schreef|escreveu) ?:"
    r"|-{2,6} ?(?:original message|urspr[üu]ngliche nachricht|message d.origine|mensaje original)"
)
_SIGNATURE: Final = re.compile(r"^-- ?$", re.M)
_PERSONAL_GREETING: Final = re.compile(
    r"^(?:hi|hello|hey|dear|hallo|bonjour|salut|hola|ciao)\b[ ,]{0,2}(?:\w{1,20}[ ,]{1,2}){0,2}", re.M
)
_PLURAL_VOICE: Final = re.compile(
    r"\b(?:we|our|us|we.re|we.ve|we.ll|wir|uns|unse?re?[nmrs]?|nous|notre|nos|nosotr[oa]s|nuestr[oa]s?|noi"
    r"|nostr[oaie]|n[óo]s|noss[oa]s?|wij|we|onze?|nas|nasz\w{0,3}|nam|мы|нас|нам|наш\w{0,3}|εμείς|μας)\b"
)
_SINGULAR_VOICE: Final = re.compile(
    r"\b(?:i (?:am|was|have|had|do|did|think|would|will|can|could|know|want|guess|just|see|don|use|got|hope)|i.m"
    r"|i.ve|i.d|i.ll|my|me|ich|mein\w{0,2}|mich|mir|je|j.ai|mon|ma|mes|moi|yo|mi|mis|io|mio|mia|eu|meu"
    r"|minha|ik|mijn|mnie|mi|я|мне|меня|εγώ|μου)\b"
)
_PATCH: Final = re.compile(
    r"^(?:diff --git|index [0-9a-f]{7}|@@ -\d|--- a/|\+\+\+ b/|update of /|rcs file:|modified files:|log message:)",
    re.M,
)
_SHOUT_WORD: Final = re.compile(r"[A-Z]{3,}")
_WORD: Final = re.compile(r"[^\W\d_]{2,}")
_JUNK_TAIL: Final = re.compile(
    r"\s{4,}\S{1,40}\s*\Z|\b(?=[a-z0-9]*[A-Z0-9])(?=[A-Z0-9]*[a-z])[A-Za-z0-9]{12,40}\s*\Z|[!?$]{2,}|\$\d"
)


def _find_in_text(pattern: re.Pattern[str]) -> Callable[[Evidence], Finding]:
    def look(mail: Evidence) -> Finding:
        matched = pattern.search(mail.folded)
        return Finding(1.0, matched[0][:60]) if matched else NOTHING

    return look


def _see_unsubscribe_link(mail: Evidence) -> Finding:
    for link in reversed(mail.links[-400:]):
        matched = wording.UNSUBSCRIBE_LINK.search(link.url[:600]) or wording.UNSUBSCRIBE.search(link.text.casefold())
        if matched:
            return Finding(1.0, matched[0][:60])
    return NOTHING


def _see_newsletter_word(mail: Evidence) -> Finding:
    subject = wording.NEWSLETTER.search(mail.subject.casefold())
    if subject:
        return Finding(1.0, subject[0])
    opening = wording.NEWSLETTER.search(mail.folded[:_OPENING_CHARACTERS])
    if opening:
        return Finding(0.8, opening[0])
    anywhere = wording.NEWSLETTER.search(mail.folded)
    return Finding(0.6, anywhere[0]) if anywhere else NOTHING


def _see_series_subject(mail: Evidence) -> Finding:
    matched = _SUBJECT_SERIES.search(mail.subject.casefold())
    return Finding(1.0, matched[0]) if matched else NOTHING


def _see_issue_number(mail: Evidence) -> Finding:
    matched = wording.ISSUE_NUMBER.search(mail.subject.casefold())
    if matched:
        return Finding(1.0, matched[0])
    matched = wording.ISSUE_NUMBER.search(mail.folded[:_OPENING_CHARACTERS])
    return Finding(0.6, matched[0]) if matched else NOTHING


def _see_date_in_subject(mail: Evidence) -> Finding:
    matched = _DATE_IN_SUBJECT.search(mail.subject.casefold())
    return Finding(1.0, matched[0]) if matched else NOTHING


def _see_read_more(mail: Evidence) -> Finding:
    count = sum(1 for _ in zip(range(8), wording.READ_MORE.finditer(mail.folded), strict=False))
    return Finding(min(1.0, 0.3 + 0.1 * count), f"{count} times") if count else NOTHING


def _see_imprint(mail: Evidence) -> Finding:
    matched = wording.IMPRINT.search(mail.folded[-2 * _CLOSING_CHARACTERS :])
    return Finding(1.0, matched[0]) if matched else NOTHING


def _see_quotation(mail: Evidence) -> Finding:
    lines = mail.text.count("\n") + 1
    quoted = 0 if mail.layout.has_html else sum(1 for _ in _QUOTED_LINE.finditer(mail.text))
    if quoted >= 2 and quoted / lines > 0.03:
        return Finding(min(1.0, 0.4 + 2 * quoted / lines), f"{quoted} quoted lines")
    matched = _ATTRIBUTION.search(mail.folded)
    return Finding(0.8, matched[0]) if matched else NOTHING


def _see_signature(mail: Evidence) -> Finding:
    return Finding(1.0, "-- ") if _SIGNATURE.search(mail.text) and not mail.layout.has_html else NOTHING


def _see_personal_letter(mail: Evidence) -> Finding:
    """A greeting, few words, hardly a link: somebody wrote to somebody."""
    if len(mail.text) > 2_500 or len(mail.links) > 4:
        return NOTHING
    matched = _PERSONAL_GREETING.search(mail.text[:200].casefold())
    return Finding(1.0, matched[0].strip()) if matched else NOTHING


def _count_voices(mail: Evidence) -> tuple[int, int]:
    text = mail.folded[:20_000]
    return sum(1 for _ in _PLURAL_VOICE.finditer(text)), sum(1 for _ in _SINGULAR_VOICE.finditer(text))


def _see_collective_voice(mail: Evidence) -> Finding:
    """An organisation speaks: "we" and "our" rather than "I" and "my"."""
    plural, singular = _count_voices(mail)
    if plural < 3 or plural < 2 * singular:
        return NOTHING
    return Finding(min(1.0, plural / 10), f"{plural} times we, {singular} times I")


def _see_personal_voice(mail: Evidence) -> Finding:
    plural, singular = _count_voices(mail)
    if singular < 3 or singular < 2 * plural or mail.layout.tables > 3:
        return NOTHING
    return Finding(min(1.0, 300 * singular / max(1_000, len(mail.folded))), f"{singular} times I, {plural} times we")


def _see_patch(mail: Evidence) -> Finding:
    matched = _PATCH.search(mail.text.casefold())
    return Finding(1.0, matched[0]) if matched else NOTHING


def _see_receipt(mail: Evidence) -> Finding:
    matched = wording.RECEIPT.search(mail.subject.casefold())
    if matched:
        return Finding(1.0, matched[0])
    matched = wording.RECEIPT.search(mail.folded[:1_500])
    return Finding(0.6, matched[0]) if matched else NOTHING


def _see_credentials(mail: Evidence) -> Finding:
    matched = wording.CREDENTIALS.search(mail.subject.casefold())
    if matched:
        return Finding(1.0, matched[0])
    matched = wording.CREDENTIALS.search(mail.folded[:1_500]) if len(mail.folded) < 1_500 else None
    return Finding(0.6, matched[0]) if matched else NOTHING


def _see_failed_delivery(mail: Evidence) -> Finding:
    matched = wording.FAILED_DELIVERY.search(f"{mail.subject.casefold()} {mail.folded[:600]}")
    return Finding(1.0, matched[0]) if matched else NOTHING


def _see_spam_wording(mail: Evidence) -> Finding:
    """Different spam words, per length of the text: one in a long newsletter means nothing."""
    words = {found[0] for found in wording.SPAM.finditer(f"{mail.subject.casefold()} {mail.folded[:12_000]}")}
    if not words:
        return NOTHING
    thousands = 1.0 + min(len(mail.folded), 12_000) / 2_000
    return Finding(min(1.0, 0.5 * len(words) / thousands), ", ".join(sorted(words)[:4]))


def _see_shouting(mail: Evidence) -> Finding:
    """Capitals and exclamation marks through the text."""
    words = _WORD.findall(mail.text[:6_000])
    if len(words) < 15:
        return NOTHING
    loud = sum(1 for word in words if _SHOUT_WORD.fullmatch(word)) / len(words)
    marks = mail.text[:6_000].count("!") / len(words)
    strength = min(1.0, max(0.0, 4 * (loud - 0.08)) + max(0.0, 12 * (marks - 0.015)))
    return Finding(strength, f"{loud:.0%} in capitals") if strength > 0.05 else NOTHING


def _see_junk_subject(mail: Evidence) -> Finding:
    raw = mail.header("subject") or mail.subject
    matched = _JUNK_TAIL.search(raw[:300])
    return Finding(1.0, matched[0].strip()[:30]) if matched else NOTHING


CONTENT_RULES: Final = (
    Rule("unsubscribe-wording", Side.FOR, 1.6, _find_in_text(wording.UNSUBSCRIBE)),
    Rule("unsubscribe-link", Side.FOR, 1.0, _see_unsubscribe_link),
    Rule("view-online", Side.FOR, 1.0, _find_in_text(wording.VIEW_ONLINE)),
    Rule("preferences", Side.FOR, 1.0, _find_in_text(wording.PREFERENCES)),
    Rule("subscribed-wording", Side.FOR, 0.7, _find_in_text(wording.SUBSCRIBED)),
    Rule("newsletter-word", Side.FOR, 1.5, _see_newsletter_word),
    Rule("series-subject", Side.FOR, 0.7, _see_series_subject),
    Rule("issue-number", Side.FOR, 0.9, _see_issue_number),
    Rule("date-in-subject", Side.FOR, 0.8, _see_date_in_subject),
    Rule("in-this-issue", Side.FOR, 0.7, _find_in_text(wording.IN_THIS_ISSUE)),
    Rule("read-more", Side.FOR, 0.8, _see_read_more),
    Rule("imprint", Side.FOR, 0.6, _see_imprint),
    Rule("appeal-to-readers", Side.FOR, 0.8, _find_in_text(wording.APPEAL)),
    Rule("collective-voice", Side.FOR, 0.8, _see_collective_voice),
    Rule("personal-voice", Side.AGAINST, -1.2, _see_personal_voice),
    Rule("quotation", Side.AGAINST, -2.0, _see_quotation),
    Rule("signature", Side.AGAINST, -0.7, _see_signature),
    Rule("personal-letter", Side.AGAINST, -1.0, _see_personal_letter),
    Rule("patch-or-log", Side.AGAINST, -2.5, _see_patch),
    Rule("receipt", Side.AGAINST, -1.5, _see_receipt),
    Rule("credentials", Side.AGAINST, -1.5, _see_credentials),
    Rule("failed-delivery", Side.AGAINST, -2.0, _see_failed_delivery),
    Rule("spam-wording", Side.AGAINST, -2.5, _see_spam_wording),
    Rule("shouting", Side.AGAINST, -1.5, _see_shouting),
    Rule("junk-subject", Side.AGAINST, -1.2, _see_junk_subject),
)
