"""The live parts of the first page, rendered once per snapshot, language and time zone, for all who look.

A part is sent to a browser only when it differs from what that browser has. Forms inside the parts carry a
placeholder where each reader's own CSRF token goes, so that the rendering can be shared.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from tournee.web.console.language import Localiser
from tournee.web.console.render import render_template
from tournee.web.snapshot import Snapshot

PARTS = (
    "banner", "badge", "figures", "queues", "recovery", "newsletters", "dead", "workers", "providers", "schedules",
    "mailboxes",
)  # fmt: skip
CHROME = ("banner", "badge")
"""What every page shows live, not only the first."""

CSRF_PLACEHOLDER = "@@csrf-token@@"


@dataclass(frozen=True, slots=True)
class Part:
    """One rendered part; equal digests mean equal HTML."""

    html: str
    digest: bytes


class OverviewRenderer:
    """Renders each snapshot once; forgets a snapshot's renderings when the next one comes."""

    def __init__(self) -> None:
        self._number = -1
        self._rendered: dict[tuple[str, str], Mapping[str, Part]] = {}

    def render(self, snapshot: Snapshot, localiser: Localiser, *, demo: bool) -> Mapping[str, Part]:
        """Every part of the page, by name."""
        if snapshot.number != self._number:
            self._number, self._rendered = snapshot.number, {}
        place = (localiser.language, localiser.zone.key)
        if place not in self._rendered:
            context = {"snapshot": snapshot, "demo": demo, "csrf_token": CSRF_PLACEHOLDER}
            self._rendered[place] = {name: _render_part(name, localiser, context) for name in PARTS}
        return self._rendered[place]


def _render_part(name: str, localiser: Localiser, context: Mapping[str, object]) -> Part:
    html = render_template(f"parts/{name}.html", localiser, context)
    return Part(html, hashlib.blake2b(html.encode(), digest_size=12).digest())


def personalise(html: str, csrf_token: str) -> str:
    """Put a reader's own CSRF token where the placeholder stands."""
    return html.replace(CSRF_PLACEHOLDER, csrf_token)
