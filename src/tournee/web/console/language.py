"""Words, numbers and times in the reader's language and time zone.

Owns the two catalogues (`locales/*.toml`, the same keys in each: a test sees to it) and the typography that goes with
them. A key that no catalogue holds is refused, so that no page ever shows one.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from importlib import resources
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

LANGUAGES = ("en", "fr")
_NARROW_SPACE = "\u202f"


class UnknownText(KeyError):
    """No catalogue holds this key."""


@lru_cache(maxsize=len(LANGUAGES))
def load_catalogue(language: str) -> Mapping[str, str]:
    """All texts of a language by dotted key."""
    text = resources.files(__package__).joinpath("locales", f"{language}.toml").read_text(encoding="utf-8")
    return dict(_flatten("", tomllib.loads(text)))


def _flatten(prefix: str, table: Mapping[str, Any]) -> list[tuple[str, str]]:
    flat: list[tuple[str, str]] = []
    for name, value in table.items():
        key = f"{prefix}.{name}" if prefix else name
        flat += _flatten(key, value) if isinstance(value, Mapping) else [(key, str(value))]
    return flat


def choose_language(cookie: str | None, accepted: str | None, fixed: str | None = None) -> str:
    """The fixed language, else the one switched to, else the best of `Accept-Language`, else English."""
    for language in (fixed, cookie):
        if language in LANGUAGES:
            return language
    ranked = sorted(_parse_accepted(accepted or ""), key=lambda item: -item[1])
    return next((language for language, weight in ranked if language in LANGUAGES and weight > 0), "en")


def _parse_accepted(header: str) -> list[tuple[str, float]]:
    parsed = []
    for part in header[:500].split(","):
        tag, _, parameter = part.partition(";")
        try:
            weight = float(parameter.strip().removeprefix("q=") or 1)
        except ValueError:
            weight = 0.0
        parsed.append((tag.strip().partition("-")[0].lower(), weight))
    return parsed


@lru_cache(maxsize=64)
def find_zone(name: str | None) -> ZoneInfo:
    """The time zone of that name; UTC for none and for an unknown one."""
    try:
        return ZoneInfo((name or "UTC")[:64])
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class Localiser:
    """Says things in one language and one time zone."""

    language: str
    zone: ZoneInfo

    def text(self, key: str, **values: object) -> str:
        """The text of a key; with `n` given, its `.one` or `.other` form."""
        catalogue = load_catalogue(self.language)
        if "n" in values and key not in catalogue:
            n = values["n"]
            assert isinstance(n, int | float)
            single = abs(n) < 2 if self.language == "fr" else n == 1
            key = f"{key}.{'one' if single else 'other'}"
            values = {**values, "n": self.number(n)}
        try:
            return catalogue[key].format(**values)
        except KeyError:
            raise UnknownText(f"{key} ({self.language})") from None

    def say(self, key: str, values: Mapping[str, object]) -> str:
        """The text of a key with its values written as this reader writes numbers, times and lengths of time."""
        return self.text(key, **{name: self._write(name, value) for name, value in values.items()})

    def _write(self, name: str, value: object) -> object:
        match value:
            case timedelta() if name == "period":
                return self.period(value.total_seconds())
            case datetime():
                return self.moment(value)
            case timedelta():
                return self.seconds(value)
            case int() | float():
                return self.number(value)
            case _:
                return "–" if value is None else value

    def number(self, value: float, digits: int = 0) -> str:
        written = f"{value:,.{digits}f}"
        if self.language == "fr":
            written = written.replace(",", _NARROW_SPACE).replace(".", ",")
        return written

    def seconds(self, value: float | timedelta | None) -> str:
        """A length of time, as short as it can be read: 3 ms, 1.4 s, 12 min."""
        if value is None:
            return "–"
        amount = value.total_seconds() if isinstance(value, timedelta) else value
        space = _NARROW_SPACE
        if amount < 0.9995:
            return f"{self.number(max(0.0, amount) * 1000)}{space}ms"
        if amount < 60:
            return f"{self.number(amount, 1)}{space}s"
        if amount < 5400:
            return f"{self.number(amount / 60)}{space}min"
        if amount < 129600:
            return f"{self.number(amount / 3600)}{space}h"
        return f"{self.number(amount / 86400)}{space}{'j' if self.language == 'fr' else 'd'}"

    def period(self, seconds: float) -> str:
        """A period that somebody has set, after "per": min, 2 h, 90 s; in the largest unit that divides it."""
        for unit, length in (("j" if self.language == "fr" else "d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
            if seconds == length:
                return unit
            if seconds >= length and seconds % length == 0:
                return f"{self.number(seconds / length)}{_NARROW_SPACE}{unit}"
        return f"{self.number(seconds, 3)}{_NARROW_SPACE}s"

    def clock(self, at: datetime | None) -> str:
        return at.astimezone(self.zone).strftime("%H:%M:%S") if at else "–"

    def moment(self, at: datetime | None) -> str:
        """Day and time; the time alone is `clock`."""
        if at is None:
            return "–"
        local = at.astimezone(self.zone)
        if local.date() == datetime.now(UTC).astimezone(self.zone).date():
            return local.strftime("%H:%M:%S")
        return f"{local.day} {self.text(f'month.m{local.month}')} {local.year}, {local:%H:%M}"

    def size(self, octets: int) -> str:
        """A file's size in the reader's units."""
        unit = "o" if self.language == "fr" else "B"
        if octets < 1000:
            return f"{octets}{_NARROW_SPACE}{unit}"
        if octets < 1_000_000:
            return f"{self.number(octets / 1000, 1)}{_NARROW_SPACE}k{unit}"
        return f"{self.number(octets / 1_000_000, 1)}{_NARROW_SPACE}M{unit}"
