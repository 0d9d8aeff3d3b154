"""Warming up a process of the pool: what reading and analysing load once is loaded before the first message comes.

Owns the three samples. Keeps: the first message of a process takes no longer than the next ones.
"""

from __future__ import annotations

from typing import Final

SAMPLES: Final = {
    "en": "The harbour got its new ferry on Monday. It carries four hundred passengers across the bay every hour.",
    "fr": "Le port a reçu lundi son nouveau bac. Il transporte quatre cents passagers à travers la baie chaque heure.",
    "de": "Der Hafen hat am Montag seine neue Fähre bekommen. Sie bringt jede Stunde vierhundert Gäste über die Bucht.",
}


def warm_up() -> None:
    """Read and analyse one short newsletter in each of the languages that most of them are written in."""
    # Imported here: the parent names this function, but only its processes need what it loads.
    from tournee.integrations.local.analyser.analysis import analyse_text  # noqa: PLC0415
    from tournee.pipeline.core.mail.reading import read_mail  # noqa: PLC0415
    from tournee.pipeline.ports import AnalysisRequest  # noqa: PLC0415

    for language, text in SAMPLES.items():
        mail = read_mail(write_sample(text))
        for hint in (language, "und"):
            analyse_text(AnalysisRequest(None, mail.subject, "Harbour Post", text, mail.links, hint))


def write_sample(text: str) -> bytes:
    """A mail that is plainly a newsletter, so that all of the reader works on it."""
    return (
        "From: Harbour Post <news@harbour.example>\r\nTo: reader@reader.example\r\nSubject: =?utf-8?q?F=C3=A4hre?=\r\n"
        "Date: Thu, 01 Jan 2026 08:00:00 +0000\r\nList-Id: <post.harbour.example>\r\nMIME-Version: 1.0\r\n"
        "List-Unsubscribe: <https://harbour.example/unsubscribe>\r\nPrecedence: bulk\r\n"
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
        "Content-Type: text/html; charset=utf-8\r\n\r\n"
        f'<html><body><h1>Post</h1><p>{text}</p><a href="https://harbour.example/read">View in browser</a>'
        f'<a href="https://harbour.example/unsubscribe">Unsubscribe</a></body></html>\r\n'
    ).encode()
