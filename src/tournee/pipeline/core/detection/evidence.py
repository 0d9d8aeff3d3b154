"""What the rules of detection look at, and what each of them found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from tournee.pipeline.ports import Link


@dataclass(frozen=True, slots=True)
class Layout:
    """The shape of the pages of a message; all nought for one without a page."""

    has_html: bool = False
    tables: int = 0
    cells: int = 0
    images: int = 0
    headings: int = 0
    large_texts: int = 0
    hidden_elements: int = 0
    counting_pixels: int = 0
    list_items: int = 0


@dataclass(frozen=True, slots=True)
class Evidence:
    """One message, read as far as the rules need it.

    `headers`: decoded values by lower-case name. `text`: the visible text, bounded; `folded`: the same, case folded,
    blanks as one. `part_types`: content types of all parts, outermost first.
    """

    headers: Mapping[str, Sequence[str]]
    subject: str
    from_name: str
    from_address: str
    text: str
    folded: str
    links: Sequence[Link]
    layout: Layout
    part_types: Sequence[str]
    attachments: Sequence[str] = ()
    cache: dict[str, object] = field(default_factory=dict)
    """Figures that several rules share, computed once."""

    def header(self, name: str) -> str:
        values = self.headers.get(name, ())
        return values[0] if values else ""

    def has(self, name: str) -> bool:
        return name in self.headers


class Side(IntEnum):
    """What a rule speaks for. Its weight never has the other sign, whatever a fit says."""

    FOR = 1
    AGAINST = -1


@dataclass(frozen=True, slots=True)
class Finding:
    """How strongly a rule applies, from 0 (not at all) to 1, and what it saw."""

    strength: float
    detail: str = ""


NOTHING = Finding(0.0)


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule by name; `look` is a pure function of the evidence. `prior` is the weight before any fit."""

    name: str
    side: Side
    prior: float
    look: Callable[[Evidence], Finding]
