"""Lays tables out: columns side by side where they fit, wrapped where that is enough, else each row as a list of names
and values. Pure.

Keeps: nothing is left out, whatever the width; lines end without blanks. Refuses to know what the cells mean.
"""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Iterator, Sequence

GAP = "  "
NARROWEST = 17
"""To how few columns a text may be wrapped; a shorter one keeps its width."""
RULE = "─"


class Number(str):
    """A cell that is set to the right and never wrapped."""

    __slots__ = ()


def lay_out_table(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int | None) -> Iterator[str]:
    """The lines of a table of at most `width` columns; None: as wide as it gets."""
    natural = [
        max([measure(column), *(measure(row[place]) for row in rows)], default=0)
        for place, column in enumerate(columns)
    ]
    fitting = fit_widths(natural, [_find_least(columns, rows, place) for place in range(len(columns))], width)
    if fitting is None:
        yield from _lay_out_records(columns, rows, width or 0)
        return
    right = [_is_numeric([row[place] for row in rows]) for place in range(len(columns))]
    yield from _lay_out_row(columns, fitting, right)
    yield GAP.join(RULE * size for size in fitting)
    for row in rows:
        yield from _lay_out_row(row, fitting, right)


def fit_widths(natural: Sequence[int], least: Sequence[int], width: int | None) -> list[int] | None:
    """Widths that fit, taken from the widest columns first; None where not even the least fit."""
    sizes = list(natural)
    if width is None:
        return sizes
    room = width - len(GAP) * (len(sizes) - 1)
    if sum(least) > room:
        return None
    while sum(sizes) > room:
        widest = max((place for place in range(len(sizes)) if sizes[place] > least[place]), key=sizes.__getitem__)
        sizes[widest] -= 1
    return sizes


def _is_numeric(cells: Sequence[str]) -> bool:
    """Numbers, and dashes where there are none."""
    numbers = [isinstance(cell, Number) for cell in cells]
    return any(numbers) and all(found or cell == "–" for found, cell in zip(numbers, cells, strict=True))


def _find_least(columns: Sequence[str], rows: Sequence[Sequence[str]], place: int) -> int:
    """Heads and words stay whole where they are short."""
    cells = [columns[place], *(row[place] for row in rows)]
    words = [word for cell in cells for word in ([cell] if isinstance(cell, Number) else cell.split())]
    longest = max(map(measure, words), default=1)
    numbers = max((measure(cell) for cell in cells if isinstance(cell, Number)), default=0)
    return max(min(longest, NARROWEST), numbers)


def _lay_out_row(cells: Sequence[str], sizes: Sequence[int], right: Sequence[bool]) -> Iterator[str]:
    wrapped = [wrap(cell, size) for cell, size in zip(cells, sizes, strict=True)]
    for line in range(max(map(len, wrapped), default=0)):
        parts = [
            _pad(lines[line] if line < len(lines) else "", size, to_right)
            for lines, size, to_right in zip(wrapped, sizes, right, strict=True)
        ]
        yield GAP.join(parts).rstrip()


def _lay_out_records(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> Iterator[str]:
    """The way out of a terminal that is too narrow: a block for each row."""
    names = max(map(measure, columns), default=0)
    for number, row in enumerate(rows):
        if number:
            yield ""
        for column, cell in zip(columns, row, strict=True):
            first, *others = wrap(cell, max(width - names - len(GAP), NARROWEST))
            yield f"{_pad(column, names, False)}{GAP}{first}".rstrip()
            for line in others:
                yield f"{' ' * names}{GAP}{line}"


def wrap(text: str, width: int) -> list[str]:
    """Lines of at most `width` columns, broken between words where that is possible; at least one."""
    if measure(text) <= width:
        return [text]
    if len(text) == measure(text):
        return textwrap.wrap(text, width) or [""]
    lines = [""]
    for word in text.split():
        for piece in _cut(word, width):
            joined = f"{lines[-1]} {piece}" if lines[-1] else piece
            if measure(joined) <= width:
                lines[-1] = joined
            else:
                lines.append(piece)
    return lines


def shorten(text: str, width: int) -> str:
    """The text, or its beginning with an ellipsis."""
    if measure(text) <= width:
        return text
    beginning = next(_cut(text, width - 1), "")
    # A character of two columns may be wider than all the room there is.
    return ("" if measure(beginning) >= width else beginning.rstrip()) + "…"


def measure(text: str) -> int:
    """How many columns of a terminal the text takes."""
    if text.isascii():
        return len(text)
    return sum(map(_measure_character, text))


def _measure_character(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def _cut(word: str, width: int) -> Iterator[str]:
    """Pieces of at most `width` columns."""
    piece, size = "", 0
    for character in word:
        columns = _measure_character(character)
        if size + columns > width and piece:
            yield piece
            piece, size = "", 0
        piece += character
        size += columns
    if piece:
        yield piece


def _pad(text: str, width: int, to_right: bool) -> str:
    blanks = " " * max(width - measure(text), 0)
    return blanks + text if to_right else text + blanks
