"""How claimed jobs become runs: one job, or the jobs of a batch handler. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from tournee.engine.registry import Registry
from tournee.engine.worker.held import Held


def form_units(arrivals: Sequence[Held], registry: Registry) -> list[list[Held]]:
    """Put the jobs of a batch handler that came together into one run, in the order of their arrival."""
    units: list[list[Held]] = []
    open_batches: dict[str, list[Held]] = {}
    for held in arrivals:
        spec = registry.find(held.job.kind)
        size = spec.batch if spec else 1
        batch = open_batches.get(held.job.kind)
        # A suspect must be alone, also within a batch.
        if size <= 1 or held.job.suspect:
            units.append([held])
        elif batch is not None and len(batch) < size:
            batch.append(held)
        else:
            open_batches[held.job.kind] = [held]
            units.append(open_batches[held.job.kind])
    return units
