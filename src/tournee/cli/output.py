"""What a command prints: results on stdout, everything else on stderr.

Owns JSON and tables. Keeps: one JSON document is one line; no text that came from outside can move the cursor, colour
the terminal or turn the reading direction; a table fits the terminal, and in a file or a pipe each row is one line.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from tournee.cli.table import Number, lay_out_table

OLD_DAYS = 60
"""What is older is told by its date."""


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
    """A table on stdout, after a blank line and its title if it has one."""
    if title:
        print_line(f"\n{title}")
    cells = [[Number(show(cell)) if isinstance(cell, (int, float)) else show(cell) for cell in row] for row in rows]
    for line in lay_out_table(columns, cells, read_width()):
        print_line(line)


def read_width() -> int | None:
    """The terminal's columns; None for a file or a pipe, unless COLUMNS says otherwise."""
    told = os.environ.get("COLUMNS", "")
    if told.isdigit() and int(told) > 0:
        return int(told)
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


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
    """How long ago, or in how long, in the largest unit that says enough; the date of what is old."""
    seconds = (datetime.now(UTC) - moment.astimezone(UTC)).total_seconds()
    if seconds > OLD_DAYS * 86400:
        return moment.date().isoformat()
    amount, unit = abs(seconds), "s"
    for size, name in ((86400, "d"), (3600, "h"), (60, "min")):
        if abs(seconds) >= 2 * size:
            amount, unit = abs(seconds) / size, name
            break
    return f"{amount:.0f} {unit} ago" if seconds >= 0 else f"in {amount:.0f} {unit}"
