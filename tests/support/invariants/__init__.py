"""The fifteen invariants of the engine as checks over evidence.

    await install_recorder(pool)                    # before the first job
    journal = Journal(folder / "journal")           # handlers: note_start first, record_effect in the transaction
    …
    assert_all_hold(await gather(pool, redis, journal), at_rest=True)

`Evidence` is plain data and `check_all` is pure, so the same checks judge one job, random interleavings and hours of
chaos. Each check is shown to catch its own broken engine in `tests/integration/invariants`.
"""

from tests.support.invariants.checks import CHECKS, assert_all_hold, check_all
from tests.support.invariants.evidence import Evidence, Violation
from tests.support.invariants.gather import gather
from tests.support.invariants.journal import Journal
from tests.support.invariants.recorder import insert_effect, install_recorder, read_clock, record_effect

__all__ = [
    "CHECKS",
    "Evidence",
    "Journal",
    "Violation",
    "assert_all_hold",
    "check_all",
    "gather",
    "insert_effect",
    "install_recorder",
    "read_clock",
    "record_effect",
]
