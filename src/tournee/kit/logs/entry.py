"""One line on its way: what was captured where it was logged, and the event made of it by a log's thread."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tournee.kit.logs.captured_error import CapturedError
from tournee.kit.logs.redaction import redact_text, redact_value
from tournee.kit.trace import TraceParts

MOST_FIELDS = 100


@dataclass(slots=True)
class Entry:
    """One line. `fields` holds `event` and all that was given by name; `span` is what was being done, where traced."""

    created_at: float
    level: int
    logger: str
    fields: dict[str, Any]
    correlation: Mapping[str, object]
    error: CapturedError | None = None
    span: TraceParts | None = None
    _event: dict[str, Any] | None = field(default=None, repr=False)

    def render(self) -> Mapping[str, Any]:
        """The event, without secrets. Made once, for all who want it; not to be changed."""
        if self._event is None:
            self._event = self._make_event()
        return self._event

    def _make_event(self) -> dict[str, Any]:
        given = self.fields
        event: dict[str, Any] = {
            "timestamp": datetime.fromtimestamp(self.created_at, UTC).isoformat(timespec="milliseconds"),
            "level": logging.getLevelName(self.level).lower(),
            "event": redact_text(str(given.get("event", ""))),
        }
        for source in (self.correlation, given):
            for name, value in list(source.items())[:MOST_FIELDS]:
                if name not in event:
                    event[name] = redact_value(value, name)
        event["logger"] = self.logger
        event["pid"] = os.getpid()
        if self.error is not None:
            event["exception"] = redact_text(self.error.format())
        return event
