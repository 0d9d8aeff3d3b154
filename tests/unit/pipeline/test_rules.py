"""Notification rules decide who is told of what."""

from __future__ import annotations

import pytest

from tournee.pipeline.core.rules import (
    Criteria,
    PlannedDelivery,
    Rule,
    RuleRefused,
    RuleSubject,
    make_criteria,
    make_rule,
    matches_rule,
    plan_deliveries,
)

SUBJECT = RuleSubject(
    sender_name="Café Weekly",
    sender_address="hello@news.example.org",
    topics=("Économie", "open source"),
    text="The week in rust: a C++ compiler, naïve bayes and 日本語のニュース",
    language="fr-CA",
)


@pytest.mark.parametrize(
    "criteria",
    [
        Criteria(),
        Criteria(sender="HELLO@news.example.org"),
        Criteria(sender="@example.org"),
        Criteria(sender="@news.example.org"),
        Criteria(sender="cafe"),
        Criteria(topic="economie"),
        Criteria(keyword="RUST"),
        Criteria(keyword="naive  bayes"),
        Criteria(keyword="C++"),
        Criteria(keyword="日本"),
        Criteria(language="fr"),
        Criteria(language="FR_fr"),
        Criteria(sender="weekly", topic="Open Source", keyword="week", language="fr"),
    ],
)
def test_a_newsletter_matches_whatever_its_case_and_accents(criteria: Criteria) -> None:
    assert matches_rule(criteria, SUBJECT)


@pytest.mark.parametrize(
    "criteria",
    [
        Criteria(sender="ello@news.example.org"),
        Criteria(sender="@ample.org"),
        Criteria(sender="example"),
        Criteria(topic="source"),
        Criteria(keyword="rus"),
        Criteria(keyword="bayes naive"),
        Criteria(language="en"),
        Criteria(topic="open source", language="en"),
    ],
)
def test_one_criterion_that_does_not_match_is_enough(criteria: Criteria) -> None:
    assert not matches_rule(criteria, SUBJECT)


def test_a_mailbox_without_rules_announces_each_newsletter_to_its_owner() -> None:
    assert plan_deliveries([], SUBJECT, "me@example.org") == [PlannedDelivery("email", "me@example.org", {})]


def test_rules_that_do_not_match_silence_the_default() -> None:
    assert plan_deliveries([Rule("email", "a@example.org", Criteria(topic="sport"))], SUBJECT, "me@example.org") == []


def test_the_oldest_matching_rule_of_a_channel_wins() -> None:
    rules = [
        Rule("email", "none@example.org", Criteria(topic="sport")),
        Rule("email", "first@example.org", Criteria(keyword="rust")),
        Rule("email", "second@example.org"),
    ]
    assert plan_deliveries(rules, SUBJECT, "me@example.org") == [
        PlannedDelivery("email", "first@example.org", {"keyword": "rust"})
    ]


def test_a_webhook_rule_is_refused_when_it_is_made() -> None:
    with pytest.raises(RuleRefused, match="channel webhook is not available yet"):
        make_rule("webhook", "https://example.org", {})


@pytest.mark.parametrize("target", ["nobody", "a@b, c@d", "a@b\nBcc: c@d", ""])
def test_a_target_that_is_no_address_is_refused(target: str) -> None:
    with pytest.raises(RuleRefused):
        make_rule("email", target, {})


@pytest.mark.parametrize("matches", [{"colour": "red"}, {"topic": " "}, {"topic": 3}, {"keyword": "x" * 201}])
def test_criteria_that_make_no_sense_are_refused(matches: dict[str, object]) -> None:
    with pytest.raises(RuleRefused):
        make_criteria(matches)


def test_stored_criteria_read_back_as_they_were() -> None:
    criteria = make_criteria({"topic": " Rust ", "language": "en"})
    assert make_criteria(criteria.as_object()) == criteria == Criteria(topic="Rust", language="en")
