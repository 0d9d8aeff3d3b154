"""House rules of layers: every package stands in the import contracts."""

from __future__ import annotations

import configparser
import re

from tests.tidy.sources import ROOT, list_files

ABOVE_THE_RULE = {"cli", "bootstrap"}
"""The two that may start the sandbox."""


def read_contract(name: str, option: str) -> set[str]:
    """The modules that one option of a contract names, without `tournee.`."""
    parser = configparser.ConfigParser()
    parser.read(ROOT / ".importlinter", encoding="utf-8")
    return set(re.findall(r"tournee\.(\w+)", parser[f"importlinter:contract:{name}"][option]))


def list_parts() -> set[str]:
    """The packages and modules directly in `tournee`."""
    parts = {path.split("/")[2].removesuffix(".py") for path in list_files() if path.startswith("src/tournee/")}
    return parts - {"__init__", "py.typed", "__main__"}


def test_every_part_has_its_layer() -> None:
    assert list_parts() - read_contract("layers", "layers") - {"embedded"} == set()


def test_no_part_but_cli_and_bootstrap_may_know_the_sandbox() -> None:
    assert list_parts() - read_contract("app", "source_modules") - ABOVE_THE_RULE == set()


def test_the_embedded_servers_may_know_no_part_but_the_kit() -> None:
    assert list_parts() - read_contract("embedded", "forbidden_modules") - {"embedded", "kit", "bootstrap"} == set()
