"""From findings to a class: a sum of weights against a threshold, and the reasons for it.

A weight is the logarithm of odds that a rule adds; the score is a probability. Confirmation mails are told apart
first: they would lose by the rules (short, few links) and must stay visible.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tournee.pipeline.core.detection import wording
from tournee.pipeline.core.detection.content_rules import CONTENT_RULES
from tournee.pipeline.core.detection.evidence import Evidence, Finding, Rule
from tournee.pipeline.core.detection.header_rules import HEADER_RULES
from tournee.pipeline.core.detection.layout_rules import LAYOUT_RULES
from tournee.pipeline.core.detection.weights import BIAS, WEIGHTS
from tournee.pipeline.core.rfc5322 import LOOP_HEADER, LOOP_MARK
from tournee.pipeline.ports import MessageClass, Reason

RULES: Final[tuple[Rule, ...]] = (*HEADER_RULES, *CONTENT_RULES, *LAYOUT_RULES)
THRESHOLD: Final = 0.5
_CONFIRMATION_CHARACTERS: Final = 3_500
_CONFIRMATION_LINKS: Final = 12
_LEAST_WEIGHT: Final = 0.005


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a message is, how likely a newsletter (0 to 1), and why; the weightiest reason first."""

    message_class: MessageClass
    score: float
    reasons: Sequence[Reason]


def classify(mail: Evidence) -> Verdict:
    """Class a message by all rules with the shipped weights."""
    if is_our_own(mail):
        reason = Reason("our-own-mail", -1.0, f"{LOOP_HEADER}: {LOOP_MARK}")
        return Verdict(MessageClass.OTHER, 0.0, (reason,))
    findings = look_for(mail)
    score = rate(findings, WEIGHTS, BIAS)
    reasons = [
        Reason(name, round(WEIGHTS.get(name, 0.0) * finding.strength, 2), finding.detail[:120])
        for name, finding in findings.items()
        if abs(WEIGHTS.get(name, 0.0) * finding.strength) >= _LEAST_WEIGHT
    ]
    reasons.sort(key=lambda reason: -abs(reason.weight))
    confirmation = find_confirmation(mail)
    if confirmation is not None:
        return Verdict(MessageClass.CONFIRMATION, score, (Reason("confirmation", 1.0, confirmation), *reasons))
    found = MessageClass.NEWSLETTER if score >= THRESHOLD else MessageClass.OTHER
    return Verdict(found, score, tuple(reasons))


def is_our_own(mail: Evidence) -> bool:
    """An alert of ours that came back into a mailbox that we watch: it must not bring the next alert."""
    return any(value.strip().casefold() == LOOP_MARK for value in mail.headers.get(LOOP_HEADER.casefold(), ()))


def look_for(mail: Evidence) -> dict[str, Finding]:
    """What each rule found, by its name; rules that found nothing are left out."""
    found = {rule.name: rule.look(mail) for rule in RULES}
    return {name: finding for name, finding in found.items() if finding.strength > 0}


def rate(findings: Mapping[str, Finding], weights: Mapping[str, float], bias: float) -> float:
    """The probability of a newsletter under these weights, three digits."""
    logit = bias + sum(weights.get(name, 0.0) * finding.strength for name, finding in findings.items())
    return round(1.0 / (1.0 + math.exp(-max(-60.0, min(60.0, logit)))), 3)


def find_confirmation(mail: Evidence) -> str | None:
    """The words by which a mail asks to confirm a subscription; None when it does not.

    Such a mail is short, asks in its subject or at its start, and answers nobody.
    """
    if len(mail.text) > _CONFIRMATION_CHARACTERS or len(mail.links) > _CONFIRMATION_LINKS:
        return None
    if mail.has("in-reply-to") or mail.has("references") or "multipart/report" in mail.part_types[:2]:
        return None
    subject = mail.subject.casefold()
    matched = wording.CONFIRM.search(subject) or wording.CONFIRM.search(mail.folded[:1_500])
    if matched is None or not wording.CONFIRM_TOPIC.search(f"{subject} {mail.folded}"):
        return None
    can_confirm = bool(mail.links) or "reply" in mail.folded or "antwort" in mail.folded or "répond" in mail.folded
    return matched[0][:80] if can_confirm else None
