"""Newsletters, confirmations and other mail are told apart, with reasons."""

from __future__ import annotations

import pytest

from tests.support.mails import make_mail
from tournee.pipeline.core.detection.classification import RULES, look_for
from tournee.pipeline.core.detection.evidence import Side
from tournee.pipeline.core.detection.weights import WEIGHTS
from tournee.pipeline.core.mail.reading import examine_mail, read_mail
from tournee.pipeline.ports import MessageClass

ISSUES = {
    "en": "Welcome to this week's issue of our newsletter.\n\n## News\n\nWe tell our readers more: {links}\n\n"
    "## Events\n\nJoin us at our conference: {links}\n\nTo unsubscribe or change your preferences: {links}\n",
    "fr": "Bienvenue dans notre lettre d'information de la semaine.\n\n## Au sommaire\n\nNos nouvelles "
    "{links}\n\n## Agenda\n\nRejoignez-nous : {links}\n\nPour vous désabonner ou gérer vos préférences : {links}\n",
    "de": "Willkommen zur neuen Ausgabe unseres Newsletters.\n\n## Themen\n\nWir berichten unseren Lesern: {links}\n\n"
    "## Termine\n\nMehr erfahren: {links}\n\nSie möchten den Newsletter abbestellen? {links}\n",
    "es": "Bienvenidos a nuestro boletín semanal.\n\n## En este número\n\nNuestras noticias: {links}\n\n"
    "## Agenda\n\nMás información: {links}\n\nPara darse de baja o modificar sus datos: {links}\n",
    "it": "Benvenuti nel nostro notiziario settimanale.\n\n## In questo numero\n\nLe nostre notizie: {links}\n\n"
    "## Eventi\n\nLeggi tutto: {links}\n\nPer cancellare l'iscrizione alla newsletter: {links}\n",
    "pt": "Bem-vindos ao nosso boletim, o informativo semanal.\n\n## Nesta edição\n\nNossas notícias: {links}\n\n"
    "## Agenda\n\nSaiba mais: {links}\n\nPara cancelar a inscrição ou atualizar seus dados: {links}\n",
    "nl": "Welkom bij onze wekelijkse nieuwsbrief.\n\n## In deze editie\n\nOns nieuws voor onze lezers: {links}\n\n"
    "## Agenda\n\nLees meer: {links}\n\nAfmelden of uw voorkeuren wijzigen: {links}\n",
}
LINKS = " ".join(f"https://example.org/story-{number}" for number in range(6))

CONFIRMATIONS = [
    ("Please confirm your subscription", "Click to confirm your subscription to our newsletter: https://example.org/c"),
    ("Confirm your e-mail", "Please confirm your email address to join the mailing list: https://example.org/c"),
    ("Confirmez votre inscription", "Pour confirmer votre inscription à la newsletter : https://example.org/c"),
    ("Newsletter", "Bitte bestätigen Sie Ihre Anmeldung zum Newsletter: https://example.org/c"),
    ("Confirma tu suscripción", "Confirma tu suscripción al boletín: https://example.org/c"),
    ("Conferma la tua iscrizione", "Conferma la tua iscrizione alla newsletter: https://example.org/c"),
    ("confirm 8f3a99bc01d2e4f5a6b7c8d9", "Reply to this message to be added to the mailing list."),
    ("Bevestig je aanmelding", "Bevestig je aanmelding voor de nieuwsbrief: https://example.org/c"),
]

OTHERS = {
    "a letter": make_mail("Hi Bob,\n\nI was thinking about dinner. Shall we say 8?\n\nAnna"),
    "a reply": make_mail("> Shall we?\n\nYes, I think so.\n", Subject="Re: dinner", In_Reply_To="<a@example.org>"),
    "a receipt": make_mail(
        "Thank you for your order.\n\nOrder number 12345\nTotal: 12.00\n\nView your order: https://example.org/o/1",
        Subject="Your order 12345 has been shipped",
        From="Shop <noreply@example.org>",
    ),
    "a code": make_mail("Your verification code is 123456.", Subject="Your code", From="noreply@example.org"),
    "a bounce": make_mail(
        "Your message could not be delivered.", Subject="Undeliverable", From="MAILER-DAEMON@example.org"
    ),
    "spam": make_mail(
        "CHEAP VIAGRA!!! ORDER NOW!!! 100% GUARANTEED!!! Lowest price, no prescription. http://example.org/v\n" * 3,
        Subject="Re: cheap pills $$$  xkqzv",
        From="qwz81@hotmail.com",
    ),
    "a list's discussion": make_mail(
        "Has anybody seen this error?\n\nI can't get it to build.\n\n-- \nAnna\n",
        Subject="[users] build error",
        List_Id="<users.example.org>",
        List_Post="<mailto:users@example.org>",
        List_Unsubscribe="<https://example.org/u>",
        Precedence="list",
    ),
    "nothing": b"From: a@example.org\n\n",
}


@pytest.mark.parametrize("language", ISSUES)
def test_a_newsletter_is_known_by_its_content_alone(language: str) -> None:
    mail = read_mail(make_mail(ISSUES[language].format(links=LINKS), Subject=""))
    assert mail.message_class is MessageClass.NEWSLETTER, mail.reasons
    assert mail.score > 0.5


@pytest.mark.parametrize(("subject", "body"), CONFIRMATIONS)
def test_a_mail_that_asks_to_confirm_is_a_class_of_its_own(subject: str, body: str) -> None:
    mail = read_mail(make_mail(body, Subject=subject))
    assert mail.message_class is MessageClass.CONFIRMATION
    assert mail.reasons[0].rule == "confirmation"
    assert mail.text
    assert mail.content_hash


@pytest.mark.parametrize("raw", OTHERS.values(), ids=OTHERS)
def test_other_mail_is_no_newsletter(raw: bytes) -> None:
    mail = read_mail(raw)
    assert mail.message_class is MessageClass.OTHER, mail.reasons
    assert mail.score < 0.5


def test_an_issue_that_mentions_confirmation_stays_a_newsletter() -> None:
    body = ISSUES["en"].format(links=LINKS) * 4 + "\nOne last step: confirm your subscription for our event."
    assert read_mail(make_mail(body)).message_class is MessageClass.NEWSLETTER


def test_reasons_say_what_was_seen_the_weightiest_first() -> None:
    reasons = read_mail(make_mail(ISSUES["en"].format(links=LINKS), List_Id="<news.example.org>")).reasons
    assert {"list-id", "unsubscribe-wording", "many-links"} <= {reason.rule for reason in reasons}
    sizes = [abs(reason.weight) for reason in reasons]
    assert sizes == sorted(sizes, reverse=True)
    assert all(reason.detail for reason in reasons)


def test_every_rule_has_a_weight_on_its_own_side() -> None:
    assert set(WEIGHTS) == {rule.name for rule in RULES}
    wrong = [rule.name for rule in RULES if WEIGHTS[rule.name] * rule.side < 0 or rule.prior * rule.side <= 0]
    assert wrong == []
    assert {rule.side for rule in RULES} == {Side.FOR, Side.AGAINST}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("We don't know, and London won't tell.", False),
        ("Vos dons nous font vivre.", True),
        ("Please support our work.", True),
    ],
)
def test_do_not_is_no_appeal_for_donations(text: str, expected: bool) -> None:
    found = look_for(examine_mail(make_mail(text)))
    assert ("appeal-to-readers" in found) is expected
