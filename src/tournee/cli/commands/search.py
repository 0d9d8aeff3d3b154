"""`tournee search`: what a reader would find."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from tournee.cli.options import Json, Limit

if TYPE_CHECKING:
    from tournee.pipeline.ports import SearchHit

Query = Annotated[list[str], typer.Argument(metavar="QUERY", help="Words to look for.")]

MARKS = {ord("\ue000"): "«", ord("\ue001"): "»"}
"""How a match is shown: the index marks it with private characters."""

WIDEST = 100
"""Longer lines read badly, however wide the terminal is."""
SNIPPET_LINES = 2


def search_newsletters(query: Query, limit: Limit = 20, as_json: Json = False) -> None:
    """Search the newsletters as a reader would."""
    from tournee.cli.errors import WrongUsage
    from tournee.cli.output import print_json, print_line, read_width, tell
    from tournee.cli.session import ask_stack

    words = " ".join(query)
    if not words.strip():
        raise WrongUsage("say what to look for")
    result = ask_stack(lambda stack: stack.search(words, limit))
    if as_json:
        print_json(result)
        return
    if result.corrected:
        tell(f"searched for: {result.corrected}")
    if not result.hits:
        print_line("nothing found")
        return
    width = min(read_width() or WIDEST, WIDEST)
    for hit in result.hits:
        for line in lay_out_hit(hit, width):
            print_line(line)
    if result.total > len(result.hits):
        tell(f"{len(result.hits)} of {result.total}; --limit shows more")


def lay_out_hit(hit: SearchHit, width: int) -> Iterator[str]:
    """Its number and title, below them who sent it and when, then the place that matches; a blank line ends it."""
    from tournee.cli.output import show
    from tournee.cli.table import shorten, wrap

    number = f"{hit.newsletter_id:>6}  "
    room = max(width - len(number), SNIPPET_LINES)
    yield number + shorten(show(hit.title), room)
    indent = " " * len(number)
    sender = show(hit.sender).partition(" <")[0]
    sent = hit.sent_at.date().isoformat() if hit.sent_at else "no date"
    yield indent + shorten(f"{sent}  {sender}", room)
    lines = wrap(show(hit.snippet.translate(MARKS)), room)
    for line in lines[: SNIPPET_LINES - 1]:
        yield indent + line
    yield indent + shorten(" ".join(lines[SNIPPET_LINES - 1 :]), room)
    yield ""
