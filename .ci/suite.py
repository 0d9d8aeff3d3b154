"""Run the whole suite once for each Python that is present, and say which ran and which did not.

Owns the environments `.setup/venv-<version>` of the interpreters beside the default one. The default interpreter's run
comes last, so that its closing line is the last that is printed. Answers 0 only if every run passed.

    python3 .ci/suite.py [--python PATH]... [-- words for pytest]
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SUPPORTED = ("3.11", "3.12", "3.13", "3.14")
NO_TESTS = 5
"""pytest's exit code for a run that executed nothing: a failure here."""


def main() -> int:
    """Run what was asked for; answers 1 if any run failed or could not be set up."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--python", action="append", default=[], help="an interpreter; default: all that are present")
    parser.add_argument("words", nargs="*", help="what goes to pytest")
    arguments = parser.parse_args()
    os.environ.update(find_material())
    own = ".".join(str(part) for part in sys.version_info[:2])
    found = {version: path for path in arguments.python if (version := read_version(path))}
    if not arguments.python:
        found = {version: path for version in SUPPORTED if (path := find_interpreter(version))}
        found[own] = sys.executable
        for version in SUPPORTED:
            if version not in found:
                report(f"Python {version} is not on this machine: not run")
    failed = [
        version
        for version in sorted(found, key=lambda version: version == own)
        if not run_suite(version, found[version], arguments.words, own)
    ]
    if failed and len(found) > 1:
        report(f"failed on Python {', '.join(failed)}")
    return 1 if failed or not found else 0


def find_material() -> dict[str, str]:
    """Say where the corpus and the specifications lie, if they lie beside the checkout and nobody said otherwise."""
    material: dict[str, str] = {}
    for name, folder in (("TOURNEE_CORPUS", "corpus"), ("TOURNEE_SPECS", "specs")):
        place = ROOT.parent / "shared" / folder
        if name in os.environ:
            continue
        if place.is_dir():
            material[name] = str(place)
        else:
            report(
                f"no ../shared/{folder} beside this checkout and {name} is not set: the tests that read it are skipped"
            )
    return material


def find_interpreter(version: str) -> str | None:
    """Find `python<version>` on the path, if it really starts."""
    path = shutil.which(f"python{version}")
    return path if path and read_version(path) == version else None


def read_version(python: str) -> str | None:
    """Ask an interpreter for its `major.minor`; None if it does not start."""
    try:
        asked = subprocess.run(
            [python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return asked.stdout.strip()


def run_suite(version: str, python: str, words: list[str], own: str) -> bool:
    """Set up one interpreter's environment and run the suite in it; answers whether it passed."""
    venv = ROOT / ".venv" if version == own else ROOT / ".setup" / f"venv-{version}"
    install = [python, str(ROOT / "requirements" / "install.py"), "dev", "--venv", str(venv)]
    if subprocess.run(install, check=False).returncode != 0:
        return False
    report(f"the suite on Python {version}")
    spread = [] if any(word.startswith("-n") for word in words) else ["-n", "2", "--dist", "worksteal"]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    command = [str(venv / "bin" / "python"), "-m", "pytest", *spread, *words]
    code = subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
    if code == NO_TESTS:
        report("no test was executed")
    return code == 0


def report(line: str) -> None:
    """Say what happens on stderr."""
    print(f"test: {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
