"""The project's own files, read and parsed once for all house rules."""

from __future__ import annotations

import ast
import subprocess
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EXCEPTIONS = tomllib.loads((Path(__file__).parent / "exceptions.toml").read_text(encoding="utf-8"))

Function = ast.FunctionDef | ast.AsyncFunctionDef
BLOCKS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.Try, ast.TryStar, ast.With, ast.AsyncWith, ast.Match)


@dataclass(frozen=True)
class Module:
    """One Python file: its path from the root, its lines, its tree."""

    path: str
    lines: int
    tree: ast.Module


@cache
def list_files() -> tuple[str, ...]:
    """All files that are, or would be, in the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return tuple(sorted(path for path in set(listed.split("\0")) if path and (ROOT / path).is_file()))


@cache
def read_text(path: str) -> str | None:
    """A file's text; None for one that is not text."""
    raw = (ROOT / path).read_bytes()
    return None if b"\0" in raw[:8192] else raw.decode("utf-8", errors="replace")


@cache
def list_modules(*folders: str) -> tuple[Module, ...]:
    """The Python modules in these top folders."""
    return tuple(
        parse_module(path)
        for path in list_files()
        if path.endswith(".py") and path.startswith(tuple(f"{folder}/" for folder in folders))
    )


@cache
def parse_module(path: str) -> Module:
    text = read_text(path) or ""
    return Module(path, len(text.splitlines()), ast.parse(text, path))


def walk_functions(module: Module) -> Iterator[tuple[str, Function]]:
    """Every function with its name as `path::Class.name`."""
    yield from _walk(module.tree, f"{module.path}::")


def _walk(node: ast.AST, prefix: str) -> Iterator[tuple[str, Function]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function):
            yield prefix + child.name, child
            yield from _walk(child, f"{prefix}{child.name}.")
        elif isinstance(child, ast.ClassDef):
            yield from _walk(child, f"{prefix}{child.name}.")
        else:
            yield from _walk(child, prefix)


def measure_length(function: Function) -> int:
    """Lines from the first decorator to the end, without the docstring."""
    first = min((decorator.lineno for decorator in function.decorator_list), default=function.lineno)
    lines = (function.end_lineno or first) - first + 1
    opening = function.body[0]
    if ast.get_docstring(function, clean=False) is not None:
        lines -= (opening.end_lineno or opening.lineno) - opening.lineno + 1
    return lines


def measure_nesting(node: ast.AST, depth: int = 0) -> int:
    """How many blocks stand inside each other; an `elif` is no deeper than its `if`."""
    deepest = depth
    for name, value in ast.iter_fields(node):
        parts = value if isinstance(value, list) else [value]
        chained = name == "orelse" and isinstance(node, ast.If) and len(parts) == 1 and isinstance(parts[0], ast.If)
        for part in parts:
            if not isinstance(part, ast.AST) or isinstance(part, (*Function.__args__, ast.ClassDef, ast.Lambda)):
                continue
            deeper = isinstance(part, BLOCKS) and not chained
            deepest = max(deepest, measure_nesting(part, depth + deeper))
    return deepest


def count_parameters(function: Function) -> int:
    """Parameters without `self` and `cls`."""
    arguments = function.args
    named = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    return len([name for name in named if name not in ("self", "cls")])


def judge(rule: str, measured: dict[str, int], limit: int) -> list[str]:
    """What breaks a rule: figures above its limit that are not excepted, or that outgrew their exception.

    An exception that is no longer needed breaks the rule too, so that the list only shrinks.
    """
    excepted: dict[str, int] = EXCEPTIONS.get(rule, {})
    faults = [
        f"{name}: {figure}, at most {excepted.get(name, limit)}"
        for name, figure in measured.items()
        if figure > excepted.get(name, limit)
    ]
    faults += [
        f"{name}: its exception from {rule} is no longer needed, take it off the list"
        for name in excepted
        if measured.get(name, 0) <= limit
    ]
    return faults


def require_none(faults: Iterable[object]) -> None:
    """Fail with every fault on a line of its own."""
    lines = [str(fault) for fault in faults]
    assert not lines, "\n  " + "\n  ".join(lines)
