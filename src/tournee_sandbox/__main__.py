"""`python -m tournee_sandbox --home FOLDER [--seed N] [--json] [--parent PID]`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tournee_sandbox.journal import FolderInUse
from tournee_sandbox.process import run_until_ended


def main() -> int:
    """Run the command; answers its exit code."""
    parser = argparse.ArgumentParser(prog="tournee_sandbox", description="Simulators for Tournée, on 127.0.0.1 only.")
    parser.add_argument(
        "--home",
        type=Path,
        required=True,
        help="folder in which they keep what they receive",
    )
    parser.add_argument("--seed", type=int, default=0, help="where faults with a probability draw from")
    parser.add_argument("--json", action="store_true", help="print the addresses as one line of JSON")
    parser.add_argument("--parent", type=int, help="end at once if this process is already gone")
    arguments = parser.parse_args()
    try:
        return run_until_ended(arguments.home, arguments.seed, arguments.json, arguments.parent)
    except (FolderInUse, OSError) as error:
        sys.stderr.write(f"tournee_sandbox: {error}\n")
        return 3


if __name__ == "__main__":
    sys.exit(main())
