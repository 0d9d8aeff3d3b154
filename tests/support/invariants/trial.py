"""One scenario, driven twice: in the sound engine and in one without a guard. The checks must tell them apart."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.support.engine import close_bench, open_bench
from tests.support.invariants.breaking import Break
from tests.support.invariants.evidence import Violation
from tests.support.invariants.scenario import Scenario, name_broken, open_scenario

Drive = Callable[[Scenario], Awaitable[None]]


@dataclass(frozen=True)
class Trial:
    """Servers for both halves, each with a database of its own."""

    sound_url: str
    broken_url: str
    redis_url: str
    folder: Path

    async def run(
        self,
        invariant: int,
        drive: Drive,
        *guards: Break,
        at_rest: bool = True,
        also: frozenset[int] = frozenset(),
    ) -> None:
        """Assert that the sound half breaks nothing, and that the half without `guards` breaks `invariant` alone.

        `also`: what can't hold without it either; the test says why.
        """
        assert guards, "a trial takes something out"
        sound = await self._run_half(drive, (), at_rest)
        assert not sound, "the sound engine was reported:\n  " + "\n  ".join(map(str, sound))
        broken = await self._run_half(drive, guards, at_rest)
        reported = "\n  ".join(["reported of the broken engine:", *map(str, broken)])
        assert name_broken(broken) == {invariant, *also}, reported

    async def _run_half(self, drive: Drive, guards: tuple[Break, ...], at_rest: bool) -> list[Violation]:
        bench = await open_bench(self.broken_url if guards else self.sound_url, self.redis_url)
        await bench.redis.flushall()
        try:
            scenario = await open_scenario(bench, self.folder / ("broken" if guards else "sound"))
            scenario.broken = bool(guards)
            with ExitStack() as stack:
                for guard in guards:
                    stack.enter_context(guard(scenario))
                await drive(scenario)
                if at_rest:
                    await scenario.settle()
                return await scenario.find_violations(at_rest=at_rest)
        finally:
            await close_bench(bench)
