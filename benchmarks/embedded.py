"""How fast the embedded servers start, and come back after SIGKILL: median of five, with the machine.

    .venv/bin/python -m benchmarks.embedded

Goals: under 8 s the first time, under 2 s on an existing folder, back within 2 s of a death.
"""

from __future__ import annotations

import asyncio
import os
import platform
import signal
import statistics
import tempfile
import time
from pathlib import Path

from tournee.embedded import EmbeddedServers, Server

ROUNDS = 5


async def measure_start(home: Path) -> float:
    """Seconds until both servers answered."""
    begun = time.monotonic()
    async with EmbeddedServers(home):
        return time.monotonic() - begun


async def measure_recovery(servers: EmbeddedServers, victim: Server) -> float:
    """Seconds from SIGKILL until the server answers again."""
    assert victim.pid is not None
    begun = time.monotonic()
    os.kill(victim.pid, signal.SIGKILL)
    await (await servers.wait_died()).start()
    return time.monotonic() - begun


async def measure_round(folder: Path) -> dict[str, float]:
    """One fresh home: its first start, a later one, and a death of each server."""
    figures = {"first start": await measure_start(folder), "later start": await measure_start(folder)}
    async with EmbeddedServers(folder) as servers:
        figures["postgresql back"] = await measure_recovery(servers, servers.postgresql)
        figures["valkey back"] = await measure_recovery(servers, servers.valkey)
    return figures


async def main() -> None:
    """Print a line for each figure."""
    rounds: list[dict[str, float]] = []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory(prefix="tournee-bench-") as name:
            folder = Path(name)
            await asyncio.to_thread(folder.chmod, 0o711)
            rounds.append(await measure_round(folder / "home"))
    load = os.getloadavg()[0]
    print(f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, load {load:.1f}")
    for figure in rounds[0]:
        values = [one[figure] for one in rounds]
        print(f"{figure:<16} median {statistics.median(values):.2f} s  ({min(values):.2f} to {max(values):.2f})")


if __name__ == "__main__":
    asyncio.run(main())
