"""The `tournee` command's first moment: Ctrl-C while Python still reads the modules.

Owns SIGINT until a command's loop, or `tournee.cli`, takes it over. Keeps: whenever Ctrl-C comes, the command ends with
one line and exit code 130, and never with a traceback. Refuses every import that takes time before that is arranged.
"""

import os
import signal
import sys
from contextlib import suppress

INTERRUPTED = 128 + signal.SIGINT


def main() -> int:
    """Run the command line and answer its exit code."""
    # Who was started with SIGINT ignored, as a shell's background job is, goes on ignoring it.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end_at_once)
    from tournee.cli.main import main as run_command  # noqa: PLC0415 - this is what takes its time

    return run_command()


def _end_at_once(_number: int, _frame: object) -> None:
    """Nothing is open yet. A KeyboardInterrupt could be swallowed by the module that is being read, or be turned by it
    into another error.
    """
    with suppress(OSError):
        os.write(2, b"tournee: interrupted\n")
    os._exit(INTERRUPTED)


if __name__ == "__main__":
    sys.exit(main())
