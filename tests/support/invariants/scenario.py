"""A bench whose handlers leave evidence: what they start, and their effects. For tests of the checks themselves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from tests.support.engine import Bench, Work
from tests.support.invariants.checks import check_all
from tests.support.invariants.evidence import Evidence, Violation
from tests.support.invariants.gather import gather
from tests.support.invariants.journal import Journal
from tests.support.invariants.recorder import install_recorder, record_effect
from tournee.engine.client import Job

EFFECT_FREE = ("free", "follow", "bulk")
"""The bench's queues whose handlers write no row into `evidence.effects`."""

Script = Callable[[Job[Work]], Awaitable[None]]


@dataclass
class Scenario:
    """One bench with recorder and journal. `script` is what a job of queue `work` does after its start was noted."""

    bench: Bench
    journal: Journal
    script: Script | None = None
    broken: bool = False
    """Whether a guard is out: what a sound engine never lets happen can only be waited for where it may."""

    async def run(self, job: Job[Work]) -> None:
        """The handler of the queue `work`."""
        self.journal.note_start(job)
        if self.script is not None:
            await self.script(job)
        else:
            await write_evidence(job)

    async def renew_lease(self, *, claimed_again: bool = True) -> None:
        """Take the only job away from its first run: it is past its deadline, so the rescuer gives it back."""
        await self.bench.wait_for_state("running")
        await self.bench.pool.execute("UPDATE engine.jobs SET deadline_at = now() - interval '1 second'")

        async def taken() -> bool:
            [row] = await self.bench.pool.fetch("SELECT state::text, lease FROM engine.jobs")
            return bool(row["lease"] > 1 if claimed_again else row["state"] == "pending")

        await self.bench.wait_until(taken)

    async def settle(self) -> None:
        """End what runs here and let both sides be compared once, so that all is at rest."""
        await self.bench.stop()
        await self.bench.engine.reconcile()

    async def gather(self) -> Evidence:
        """All there is to know now."""
        return await gather(self.bench.pool, self.bench.redis, self.journal, EFFECT_FREE)

    async def find_violations(self, *, at_rest: bool = True) -> list[Violation]:
        """What the checks find now."""
        return check_all(await self.gather(), at_rest=at_rest)


async def open_scenario(bench: Bench, path: Path) -> Scenario:
    """Record all that this bench does. Whoever opened the bench closes it."""
    await install_recorder(bench.pool)
    scenario = Scenario(bench, Journal(path))
    bench.handlers.script = scenario.run
    return scenario


async def write_evidence(job: Job[Work]) -> None:
    """A transaction with one effect."""
    async with job.transaction() as tx:
        await record_effect(tx, job)


def name_broken(violations: list[Violation]) -> set[int]:
    """The invariants that were reported."""
    return {violation.invariant for violation in violations}
