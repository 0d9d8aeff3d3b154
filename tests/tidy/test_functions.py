"""House rules of functions: length, nesting, parameters."""

from __future__ import annotations

from tests.tidy.sources import (
    count_parameters,
    judge,
    list_modules,
    measure_length,
    measure_nesting,
    require_none,
    walk_functions,
)

PYTHON = ("src", "tests", "requirements", ".ci", "benchmarks")

COMMANDS = "src/tournee/cli/commands/"
"""A command's parameters are its options: typer reads them off the signature."""


def test_no_function_is_longer_than_70_lines() -> None:
    measured = {name: measure_length(node) for module in list_modules(*PYTHON) for name, node in walk_functions(module)}
    require_none(judge("function_length", measured, 70))


def test_no_function_nests_deeper_than_3_blocks() -> None:
    measured = {
        name: measure_nesting(node) for module in list_modules(*PYTHON) for name, node in walk_functions(module)
    }
    require_none(judge("nesting", measured, 3))


def test_more_than_6_parameters_become_a_frozen_config() -> None:
    measured = {
        name: count_parameters(node)
        for module in list_modules("src")
        if not module.path.startswith(COMMANDS)
        for name, node in walk_functions(module)
    }
    require_none(judge("parameters", measured, 6))
