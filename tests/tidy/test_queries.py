"""House rules of SQL: each file says what it is for, and is called by the function of its name and by nothing else."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import PurePath

from tests.tidy.sources import EXCEPTIONS, list_files, list_modules, read_text, require_none, walk_functions

HOLDERS = {"SQL", "QUERIES", "_SQL", "_QUERIES"}
"""What a module calls the texts that `load_queries` gave it."""


@cache
def list_queries() -> dict[str, str]:
    """Each query's path by `package/name`."""
    return {
        f"{PurePath(path).parent.parent}/{PurePath(path).stem}": path
        for path in list_files()
        if path.startswith("src/") and path.endswith(".sql") and PurePath(path).parent.name == "queries"
    }


@cache
def list_callers() -> dict[str, list[str]]:
    """The functions that use each query, as `path::Class.name`, by `package/name`."""
    queries = list_queries()
    packages = sorted({key.rpartition("/")[0] for key in queries}, key=len, reverse=True)
    callers: dict[str, list[str]] = {key: [] for key in queries}
    for module in list_modules("src"):
        package = next((folder for folder in packages if module.path.startswith(f"{folder}/")), None)
        for name, node in walk_functions(module):
            for query in _uses(node):
                callers.setdefault(f"{package}/{query}", []).append(name)
    return callers


def _uses(node: ast.AST) -> Iterator[str]:
    for part in ast.walk(node):
        match part:
            case ast.Attribute(value=ast.Name(id=holder), attr=name) if holder in HOLDERS:
                yield name
            case ast.Subscript(value=ast.Name(id=holder), slice=ast.Constant(value=str(name))) if holder in HOLDERS:
                yield name


def test_every_query_opens_with_its_purpose() -> None:
    require_none([path for path in list_queries().values() if not (read_text(path) or "").startswith("-- ")])


def test_every_query_that_is_called_exists() -> None:
    require_none(sorted(set(list_callers()) - set(list_queries())))


def test_every_query_is_called_by_the_function_of_its_name_and_by_nothing_else() -> None:
    excepted: list[str] = EXCEPTIONS.get("queries", {}).get("called_otherwise", [])
    broken = []
    for key, callers in list_callers().items():
        named = key.rpartition("/")[2]
        functions = [caller.rpartition("::")[2].rpartition(".")[2].lstrip("_") for caller in callers]
        if len(functions) != 1 or not f"_{named}".endswith(f"_{functions[0]}"):
            broken.append(key)
    require_none([f"{key}: {list_callers()[key]}" for key in broken if key not in excepted])
    require_none([f"{key}: its exception is no longer needed" for key in excepted if key not in broken])
