"""`python -m tests.chaos --seed N --minutes M`: the fault matrix on real processes and servers.

What it does and how to read it: docs/how-to/chaos.md.

Exit code 0 when every invariant held, 1 when not. Progress goes to stderr, the summary to stdout.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import sys
from pathlib import Path

import uvloop

from tests.chaos.catalogue import BY_NAME
from tests.chaos.run import RunSettings, run_chaos


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def read_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument(
        "--seed", type=int, default=None, help="the plan's seed; printed, so that a run can be replayed"
    )
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--jobs", type=int, default=None, help="default: 10,000 a minute")
    parser.add_argument("--only", default="", help="kinds of faults, with commas between; default: all")
    parser.add_argument("--report", type=Path, default=None, help="where the JSON report goes")
    parser.add_argument("--logs", default=None, help="a folder for the logs of the processes")
    options = parser.parse_args(arguments)
    unknown = set(filter(None, options.only.split(","))) - BY_NAME.keys()
    if unknown:
        parser.error(f"no such fault: {', '.join(sorted(unknown))}; there are {', '.join(BY_NAME)}")
    return options


def main() -> int:
    options = read_arguments()
    seed = options.seed if options.seed is not None else secrets.randbelow(10**6)
    only = tuple(filter(None, options.only.split(",")))
    settings = RunSettings(seed, options.minutes, options.jobs, only, options.logs)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        report = runner.run(run_chaos(settings, _say))
    if options.report is not None:
        options.report.parent.mkdir(parents=True, exist_ok=True)
        options.report.write_text(json.dumps(report.to_json(), indent=1) + "\n", encoding="utf-8")
    sys.stdout.write("\n".join(report.to_lines()) + "\n")
    return 1 if report.list_failures() else 0


if __name__ == "__main__":
    sys.exit(main())
