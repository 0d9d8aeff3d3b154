"""`python -m tournee_sandbox.mailbox FOLDER [--seed N] [--expected FILE] [--faults FILE]`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from tournee_sandbox.faults import write_faults
from tournee_sandbox.mailbox.builder import FolderNotEmpty, write_sample_mailbox


def main() -> int:
    """Run the command; answers its exit code."""
    parser = argparse.ArgumentParser(prog="tournee_sandbox.mailbox", description="Write the sample mailbox.")
    parser.add_argument("folder", type=Path, help="an empty or new folder")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--expected", type=Path, help="where to write the expectations; not inside the folder")
    parser.add_argument("--faults", type=Path, help="where to write the planted fault; not inside the folder")
    arguments = parser.parse_args()
    try:
        sample = write_sample_mailbox(arguments.folder, arguments.seed)
    except (FolderNotEmpty, OSError) as error:
        sys.stderr.write(f"tournee_sandbox.mailbox: {error}\n")
        return 1
    if arguments.expected is not None:
        described = json.dumps(sample.describe(), ensure_ascii=False, indent=2)
        arguments.expected.write_text(described + "\n", encoding="utf-8")
    if arguments.faults is not None:
        write_faults(arguments.faults, sample.failing_message_ids)
    sys.stdout.write(json.dumps(dict(sample.expect_summary())) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
