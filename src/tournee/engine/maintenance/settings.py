"""How the background services behave. Owns their intervals and bounds; reads no environment."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from tournee.engine.core.breaker import BreakerPolicy
from tournee.engine.core.window import WindowPolicy
from tournee.engine.maintenance.pruner import HORIZON


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """How the background services behave; times in seconds."""

    lease_seconds: float = 5.0
    look_seconds: float = 0.5
    """How often relay and rescuer look; the relay is also nudged by enqueues."""
    compare_seconds: float = 2.0
    project_seconds: float = 2.0
    leftovers_seconds: float = 120.0
    prune_seconds: float = 60.0
    schedule_seconds: float = 1.0
    """How often schedules are looked at: so late a firing may be."""
    horizon: timedelta = HORIZON
    window: WindowPolicy = field(default_factory=WindowPolicy)
    breakers: BreakerPolicy = field(default_factory=BreakerPolicy)
    maintains: bool = True
    """Whether this process takes part in rescue, comparison, projection and pruning."""
