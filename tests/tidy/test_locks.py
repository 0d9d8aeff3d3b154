"""House rules of the locks: every package by hash, no index, and what the project asks for is in them."""

from __future__ import annotations

import re
import tomllib

import pytest

from tests.tidy.sources import read_text, require_none

LOCKS = ("run", "dev", "bootstrap", "board")


def read_pins(name: str) -> dict[str, set[str]]:
    """The pinned versions by package, with a mark for a pin that has no hash."""
    pins: dict[str, set[str]] = {}
    for block in re.split(r"\n(?=\S)", read_text(f"requirements/{name}.txt") or ""):
        match = re.match(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", block)
        if match:
            whole = match[2] if "--hash=sha256:" in block else f"{match[2]} without hash"
            pins.setdefault(normalise(match[1]), set()).add(whole)
    return pins


def normalise(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("name", LOCKS)
def test_every_locked_package_carries_its_hash(name: str) -> None:
    pins = read_pins(name)
    assert pins != {}
    require_none([package for package, versions in pins.items() if any("without" in version for version in versions)])


@pytest.mark.parametrize("name", LOCKS)
def test_no_lock_names_an_index_or_a_path(name: str) -> None:
    text = read_text(f"requirements/{name}.txt") or ""
    assert (
        re.findall(r"(?m)^\s*(?:-i|--index-url|--extra-index-url|--find-links|-f|-e)\b.*$|.*(?:://| @ ).*", text) == []
    )


def test_what_the_project_asks_for_is_locked() -> None:
    project = tomllib.loads(read_text("pyproject.toml") or "")
    asked = {normalise(re.split(r"[\[<>=!~; ]", line)[0]) for line in project["project"]["dependencies"]}
    for_development = {normalise(re.split(r"[\[<>=!~; ]", line)[0]) for line in project["dependency-groups"]["dev"]}
    assert asked - set(read_pins("run")) == set(), "run `make lock`"
    assert for_development - set(read_pins("dev")) == set(), "run `make lock`"


def test_the_development_lock_holds_exactly_what_the_run_lock_holds_and_more() -> None:
    run, development = read_pins("run"), read_pins("dev")
    assert {package: versions for package, versions in run.items() if development.get(package) != versions} == {}
