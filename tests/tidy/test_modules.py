"""House rules of modules: length, name, docstring."""

from __future__ import annotations

import ast
import re
from pathlib import PurePath

from tests.tidy.sources import judge, list_files, list_modules, require_none

PYTHON = ("src", "tests", "requirements", ".ci", "benchmarks")
FORBIDDEN_WORDS = {"util", "utils", "helper", "helpers", "common", "manager", "managers", "misc"}


def test_no_module_is_longer_than_500_lines() -> None:
    measured = {module.path: module.lines for module in list_modules(*PYTHON)}
    require_none(judge("module_end", measured, 500))


def test_modules_longer_than_300_lines_are_listed() -> None:
    measured = {module.path: module.lines for module in list_modules("src")}
    require_none(judge("module_length", measured, 300))


def test_names_say_what_a_thing_is() -> None:
    words = {path: set(re.split(r"[/._-]", path.lower())) for path in list_files() if path.endswith((".py", ".sql"))}
    require_none([path for path, parts in words.items() if parts & FORBIDDEN_WORDS])


def test_classes_are_not_named_manager_or_helper() -> None:
    named = [
        f"{module.path}::{node.name}"
        for module in list_modules("src")
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef)
        and FORBIDDEN_WORDS & {word.lower() for word in re.findall(r"[A-Z][a-z0-9]*", node.name)}
    ]
    require_none(named)


def test_every_module_says_what_it_owns() -> None:
    silent = [
        module.path
        for module in list_modules(*PYTHON)
        if not ast.get_docstring(module.tree) and not (PurePath(module.path).name == "__init__.py" and not module.lines)
    ]
    require_none(silent)
