"""The fixed phrases of a newsletter, by language."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wording:
    """What a newsletter says around its content."""

    browser: str
    read_on: str
    sent_to: str
    unsubscribe: str
    preferences: str


WORDING = {
    "en": Wording(
        "View this email in your browser",
        "Read on",
        "This letter was sent to {address} because you subscribed on our site.",
        "Unsubscribe",
        "Update your preferences",
    ),
    "fr": Wording(
        "Voir cette lettre dans votre navigateur",
        "Lire la suite",
        "Vous recevez cette lettre à l'adresse {address} parce que vous y êtes abonné.",
        "Se désabonner",
        "Modifier vos préférences",
    ),
    "de": Wording(
        "Diese Nachricht im Browser ansehen",
        "Weiterlesen",
        "Sie erhalten diesen Brief an {address}, weil Sie ihn abonniert haben.",
        "Newsletter abbestellen",
        "Einstellungen ändern",
    ),
}
