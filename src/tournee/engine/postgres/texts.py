"""Texts of foreign origin, as PostgreSQL can store them. Pure."""

from __future__ import annotations


def clean_text(text: str) -> str:
    """Without what PostgreSQL's text can't hold: NUL and lone surrogates. An error may quote hostile input."""
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode("utf-8")
