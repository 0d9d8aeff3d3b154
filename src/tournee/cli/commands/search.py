"""`tournee search`: what a reader would find."""

from __future__ import annotations

from typing import Annotated

import typer

from tournee.cli.options import Json, Limit

Query = Annotated[list[str], typer.Argument(metavar="QUERY...", help="Words to look for.")]

MARKS = {ord("\ue000"): "«", ord("\ue001"): "»"}
"""How a match is shown: the index marks it with private characters."""


def search_newsletters(query: Query, limit: Limit = 20, as_json: Json = False) -> None:
    """Search the newsletters as a reader would."""
    from tournee.cli.output import print_json, print_line, print_table, tell
    from tournee.cli.session import ask_stack

    words = " ".join(query)
    result = ask_stack(lambda stack: stack.search(words, limit))
    if as_json:
        print_json(result)
        return
    if result.corrected:
        tell(f"searched for: {result.corrected}")
    if not result.hits:
        print_line("nothing found")
        return
    rows = (
        [hit.newsletter_id, hit.title, hit.sender, hit.sent_at, hit.snippet.translate(MARKS)] for hit in result.hits
    )
    print_table(["id", "title", "sender", "sent", "match"], rows)
    if result.total > len(result.hits):
        tell(f"{len(result.hits)} of {result.total}; --limit shows more")
