"""What the page of guarantees names exists: every test, every target, and each invariant with its own."""

from __future__ import annotations

import re

from tests.tidy.sources import ROOT, list_modules, read_text, require_none, walk_functions

PAGE = "docs/guarantees.md"
PATHS = re.compile(r"tests/[\w/.-]*\w(?:::\w+)?")
TARGETS = re.compile(r"\bmake ([a-z]+)\b(?= [A-Z]|`)")
INVARIANTS = re.compile(r"^\| (\d+) \| .* \| (`.+`) \|$", re.MULTILINE)


def read_page() -> str:
    text = read_text(PAGE)
    assert text is not None
    return text


def test_every_test_that_the_page_of_guarantees_names_exists() -> None:
    named = set(PATHS.findall(read_page()))
    assert named
    functions = {name for module in list_modules("tests") for name, _ in walk_functions(module)}
    require_none(sorted(name for name in named if name not in functions and not (ROOT / name).exists()))


def test_every_target_that_the_page_of_guarantees_names_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", read_text("Makefile") or "", re.MULTILINE))
    named = set(TARGETS.findall(read_page()))
    assert "chaos" in named
    require_none(sorted(named - targets))


def test_each_of_the_fifteen_invariants_has_a_test_that_breaks_it() -> None:
    rows = INVARIANTS.findall(read_page())
    assert [int(number) for number, _ in rows] == list(range(1, 16))
    require_none(
        f"invariant {number}: {test}"
        for number, tests in rows
        for test in re.findall(r"`([^`]+)`", tests)
        if f"::test_{number}_" not in test
    )
