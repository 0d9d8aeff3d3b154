"""House rules of every file: no registry's address, no path of one machine, no marks for later."""

from __future__ import annotations

import re

from tests.tidy.sources import list_files, read_text, require_none

# The words are put together here, or this file would break its own rules.
REGISTRIES = re.compile(
    "|".join(
        re.escape(".".join(parts))
        for parts in (
            ("pypi", "org"),
            ("pythonhosted", "org"),
            ("npmjs", "org"),
            ("npmjs", "com"),
            ("yarnpkg", "com"),
            ("deb", "debian", "org"),
            ("npmmirror", "com"),
        )
    )
)
MACHINE_PATHS = re.compile(
    r"(?<![\w.~-])/(?:" + "|".join(("ro" + "ot", "ho" + "me", "wo" + "rk", "Us" + "ers")) + r")/[\w.]"
)
MARKS = re.compile(r"\b(?:" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK")) + r")\b")
ISSUE_NUMBERS = re.compile(
    r"(?i)\b(?:issue|issues|ticket|pull request|fixes|closes)\s*:?\s*#?\d+\b|(?<=\s)#\d{1,5}\b(?!\w)"
)
NOT_OURS = ("LICENSE", "board/package-lock.json")


def find(pattern: re.Pattern[str], suffixes: tuple[str, ...] = ("",)) -> list[str]:
    """Every line of every text file that matches, as `path:line: text`."""
    return [
        f"{path}:{number}: {line.strip()[:120]}"
        for path in list_files()
        if path.endswith(suffixes) and path not in NOT_OURS
        for number, line in enumerate((read_text(path) or "").splitlines(), start=1)
        if pattern.search(line)
    ]


def test_no_file_names_the_address_of_a_package_registry() -> None:
    lock = [line for line in (read_text("board/package-lock.json") or "").splitlines() if REGISTRIES.search(line)]
    require_none(find(REGISTRIES))
    require_none(lock)


def test_no_file_names_a_path_of_one_machine() -> None:
    require_none(find(MACHINE_PATHS))


def test_no_file_bears_a_mark_for_later() -> None:
    require_none(find(MARKS, (".py", ".sql", ".md", ".toml", ".js", ".html", ".css", "Makefile", ".sh")))


def test_no_file_bears_the_number_of_an_issue() -> None:
    require_none(find(ISSUE_NUMBERS, (".py", ".sql", ".md", ".toml", ".js", "Makefile", ".sh")))
