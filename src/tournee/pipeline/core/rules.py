"""Notification rules: which newsletter is told to whom.

Pure. A rule names criteria that must all match; none means each newsletter. A mailbox without rules has one
default rule: each newsletter, at once, by e-mail to its owner. At most one delivery per channel comes of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

from tournee.pipeline.core.text import fold

CHANNELS = frozenset({"email"})
"""What `sendNotifications` can serve. A webhook rule is refused when it is made, not when it is due."""

MAX_CRITERION = 200
_ADDRESS = re.compile(r"[^@\s,;<>\"\x00-\x1f]+@[^@\s,;<>\"\x00-\x1f]+")
_UNSPACED_SCRIPTS = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")


class RuleRefused(ValueError):
    """A rule that can't be kept; the message says what to write instead."""


@dataclass(frozen=True, slots=True)
class Criteria:
    """All that are given must match.

    `sender`: an address, `@domain`, or part of the name; `topic`: one of the analysis' topics; `keyword`: a word
    or phrase of title, summary or text; `language`: its code, without regard to a region.
    """

    sender: str | None = None
    topic: str | None = None
    keyword: str | None = None
    language: str | None = None

    def as_object(self) -> dict[str, str]:
        """The given ones, as they are stored."""
        pairs = ((field.name, getattr(self, field.name)) for field in fields(self))
        return {name: value for name, value in pairs if value is not None}


@dataclass(frozen=True, slots=True)
class Rule:
    """What an owner asked to be told, and where."""

    channel: str
    target: str
    criteria: Criteria = Criteria()


@dataclass(frozen=True, slots=True)
class RuleSubject:
    """What rules look at in a newsletter."""

    sender_name: str
    sender_address: str
    topics: Sequence[str]
    text: str
    language: str


@dataclass(frozen=True, slots=True)
class PlannedDelivery:
    """One alert to send. `why` holds the criteria that matched; empty for the default rule."""

    channel: str
    target: str
    why: Mapping[str, str]


def make_criteria(matches: Mapping[str, object]) -> Criteria:
    """Read criteria as they were given or stored. Raises `RuleRefused` for an unknown name, a blank or no text."""
    known = {field.name for field in fields(Criteria)}
    if unknown := set(matches) - known:
        raise RuleRefused(f"unknown criterion {', '.join(sorted(unknown))}: use {', '.join(sorted(known))}")
    for name, value in matches.items():
        if not isinstance(value, str) or not 1 <= len(value.strip()) <= MAX_CRITERION:
            raise RuleRefused(f"criterion {name} must be 1 to {MAX_CRITERION} characters of text")
    return Criteria(**{name: str(value).strip() for name, value in matches.items()})


def make_rule(channel: str, target: str, matches: Mapping[str, object]) -> Rule:
    """Check a rule before it is kept. Raises `RuleRefused`."""
    if channel not in CHANNELS:
        raise RuleRefused(f"channel {channel} is not available yet: use {', '.join(sorted(CHANNELS))}")
    if not _ADDRESS.fullmatch(target):
        raise RuleRefused(f"{target!r} is no e-mail address")
    return Rule(channel, target, make_criteria(matches))


def matches_rule(criteria: Criteria, subject: RuleSubject) -> bool:
    """True if all given criteria match."""
    return (
        (criteria.sender is None or _matches_sender(criteria.sender, subject))
        and (criteria.topic is None or fold(criteria.topic) in {fold(topic) for topic in subject.topics})
        and (criteria.keyword is None or _matches_keyword(criteria.keyword, subject.text))
        and (criteria.language is None or _primary(criteria.language) == _primary(subject.language))
    )


def plan_deliveries(rules: Sequence[Rule], subject: RuleSubject, owner_email: str) -> list[PlannedDelivery]:
    """Apply an owner's rules, oldest first; per channel the first that matches wins. No rules: the default rule."""
    applied = rules or (Rule("email", owner_email),)
    planned: dict[str, PlannedDelivery] = {}
    for rule in applied:
        if rule.channel in CHANNELS and rule.channel not in planned and matches_rule(rule.criteria, subject):
            planned[rule.channel] = PlannedDelivery(rule.channel, rule.target, rule.criteria.as_object())
    return list(planned.values())


def _matches_sender(wanted: str, subject: RuleSubject) -> bool:
    folded, address = fold(wanted), fold(subject.sender_address)
    if folded.startswith("@"):
        domain = address.rpartition("@")[2]
        return domain == folded[1:] or domain.endswith("." + folded[1:])
    return folded == address if "@" in folded else folded in fold(subject.sender_name)


def _matches_keyword(keyword: str, text: str) -> bool:
    folded, haystack = fold(keyword), fold(text)
    if _UNSPACED_SCRIPTS.search(folded):
        return folded in haystack
    words = r"\s+".join(re.escape(word) for word in folded.split())
    return re.search(rf"(?<!\w){words}(?!\w)", haystack) is not None


def _primary(language: str) -> str:
    return language.replace("_", "-").partition("-")[0].lower()
