"""A process that declares a schedule and fires it, for a test that kills it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

from tests.support.engine import SHORT_LEASE, Work, close_bench, open_bench
from tournee.engine.client import Firing, Missed

ROOT = Path(__file__).resolve().parents[2]
EVERY_SECOND = "* * * * * *"


def make_tick(firing: Firing) -> Work:
    return Work(n=int(firing.scheduled_at.timestamp()))


async def _fire_until_killed(database_url: str, redis_url: str) -> None:
    bench = await open_bench(database_url, redis_url, replace(SHORT_LEASE, schedule_seconds=0.05))
    bench.engine.registry.add_schedule("tick", EVERY_SECOND, "UTC", make_tick, missed=Missed.ALL)
    await bench.engine.start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    try:
        await asyncio.Event().wait()
    finally:
        await close_bench(bench)


@asynccontextmanager
async def run_schedule_process(database_url: str, redis_url: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Yields it once it fires; killed at the end, if it still lives."""
    words = ("-m", "tests.support.schedule_process", database_url, redis_url)
    process = await asyncio.create_subprocess_exec(sys.executable, *words, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        async with asyncio.timeout(60):
            while (line := await process.stdout.readline()) != b"ready\n":
                assert line, "it ended before it was ready"
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        process._transport.close()  # type: ignore[attr-defined]


def main(arguments: Sequence[str]) -> None:
    database_url, redis_url = arguments
    asyncio.run(_fire_until_killed(database_url, redis_url))


if __name__ == "__main__":
    main(sys.argv[1:])
