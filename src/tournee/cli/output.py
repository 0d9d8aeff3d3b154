"""What a command prints: results on stdout, everything else on stderr.

Owns JSON and tables. Keeps: one JSON document is one line; no text that came from outside can move the cursor, colour
the terminal or turn the reading direction; a table that goes into a file or a pipe is never cut to a width.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum
from typing import Any

UNCUT_COLUMNS = 10_000
"""Wide enough that a table in a pipe is never cut."""


def to_plain(value: Any) -> Any:
    """Turn dataclasses, times and enums into what JSON has."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): to_plain(part) for key, part in value.items()}
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        return value
    return [to_plain(part) for part in value]


def print_json(value: Any) -> None:
    """One document, on one line of stdout."""
    sys.stdout.write(json.dumps(to_plain(value), ensure_ascii=False) + "\n")
    sys.stdout.flush()


def print_line(text: str = "") -> None:
    """One line of the result, on stdout."""
    sys.stdout.write(text + "\n")


def tell(text: str) -> None:
    """One line that is no result, on stderr."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def clean(text: Any) -> str:
    """Make text from outside harmless to a terminal: no control, no formatting characters, on one line."""
    return "".join(
        character if unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Co") else " " for character in str(text)
    )


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], title: str = "") -> None:
    """A table on stdout; None shows as a dash, times as how long ago they are."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, title=title or None, title_justify="left", pad_edge=False)
    listed = [list(row) for row in rows]
    for position, column in enumerate(columns):
        numeric = bool(listed) and all(isinstance(row[position], (int, float, type(None))) for row in listed)
        table.add_column(column, justify="right" if numeric else "left", no_wrap=numeric, overflow="fold")
    for row in listed:
        table.add_row(*(Text(show(cell)) for cell in row))
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else UNCUT_COLUMNS, highlight=False)
    console.print(table)


def print_fields(pairs: Mapping[str, Any]) -> None:
    """Names and values below each other, on stdout."""
    width = max((len(name) for name in pairs), default=0)
    for name, value in pairs.items():
        print_line(f"{name:<{width}}  {show(value)}")


def show(value: Any) -> str:
    """One value for a person to read."""
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return show_age(value)
    if isinstance(value, float):
        return f"{value:.1f}"
    return clean(value)


def show_age(moment: datetime) -> str:
    """How long ago, or in how long, in the largest unit that says enough."""
    seconds = (datetime.now(UTC) - moment.astimezone(UTC)).total_seconds()
    amount, unit = abs(seconds), "s"
    for size, name in ((86400, "d"), (3600, "h"), (60, "min")):
        if abs(seconds) >= 2 * size:
            amount, unit = abs(seconds) / size, name
            break
    return f"{amount:.0f} {unit} ago" if seconds >= 0 else f"in {amount:.0f} {unit}"
