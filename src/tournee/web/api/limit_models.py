"""What the JSON API answers of a queue's limits and of schedules: its own shapes, apart from those of the stores."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict


class LimitsReport(BaseModel):
    """What holds a queue over all processes; null: no such limit. `rate_left`: how many dispatches its rate leaves."""

    model_config = ConfigDict(from_attributes=True)

    concurrency: int | None
    per_tenant_concurrency: int | None
    rate_count: int | None
    rate_seconds: float | None
    per_tenant_rate_count: int | None
    per_tenant_rate_seconds: float | None
    rate_left: float | None


class ScheduleReport(BaseModel):
    """A job that recurs; one that is not `served` by a living process does not fire."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    cron: str
    time_zone: str
    queue: str
    kind: str
    paused: bool
    served: bool
    next_at: datetime
    last_fired_at: datetime | None
    last_error: str | None
