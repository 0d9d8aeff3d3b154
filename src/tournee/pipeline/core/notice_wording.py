"""What notices to the administrators say, in the language of the setting.

Pure data. A language is complete or it does not exist: `NoticeWording` has no defaults.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NoticeWording:
    """The fixed texts of a notice in one language; `{…}` are filled in by the stages and by `compose_notice`."""

    newsletter_subject: str
    newsletter_meaning: str
    newsletter: str
    sender: str
    mailbox_subject: str
    mailbox_meaning: str
    mailbox: str
    attempts: str
    error: str
    job: str
    look: str
    again: str
    faults: str
    console: str


_ENGLISH = NoticeWording(
    newsletter_subject="Invalid newsletter: {title}",
    newsletter_meaning="A newsletter could not be analysed and was marked invalid. It is kept and shown with "
    "the reason.",
    newsletter="Newsletter: {id}: {title}",
    sender="Sender: {sender}",
    mailbox_subject="Mailbox not synchronised: {mailbox}",
    mailbox_meaning="New mail of a mailbox could not be fetched. Nothing is lost: the next synchronisation goes on "
    "from there.",
    mailbox="Mailbox: {mailbox}",
    attempts="Failed attempts: {attempts}; crashes: {crashes}",
    error="Last error: {error}",
    job="Job: {job} in queue {queue}, dead since {since}",
    look="Look at it: {command}",
    again="Once the cause is mended, try it again: {command}",
    faults="{faults} such faults since {since}; this is the one that this mail is about:",
    console="In the console: {link}",
)

_FRENCH = NoticeWording(
    newsletter_subject="Newsletter invalide : {title}",
    newsletter_meaning="Une newsletter n’a pas pu être analysée et a été déclarée invalide. Elle est gardée et "
    "affichée avec la raison.",
    newsletter="Newsletter : {id} : {title}",
    sender="Expéditeur : {sender}",
    mailbox_subject="Boîte non synchronisée : {mailbox}",
    mailbox_meaning="Le nouveau courrier d’une boîte n’a pas pu être relevé. Rien n’est perdu : la prochaine "
    "synchronisation reprendra là.",
    mailbox="Boîte : {mailbox}",
    attempts="Tentatives échouées : {attempts} ; arrêts brutaux : {crashes}",
    error="Dernière erreur : {error}",
    job="Tâche : {job} de la file {queue}, morte depuis {since}",
    look="La regarder : {command}",
    again="La cause réparée, la relancer : {command}",
    faults="{faults} fautes de ce genre depuis {since} ; voici celle que ce message rapporte :",
    console="Dans la console : {link}",
)

NOTICE_WORDINGS: Mapping[str, NoticeWording] = {"en": _ENGLISH, "fr": _FRENCH}


def choose_notice_wording(language: str) -> NoticeWording:
    """The wording of a language; English where there is none."""
    return NOTICE_WORDINGS.get(language, _ENGLISH)
