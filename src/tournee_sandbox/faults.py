"""Faults planted around the analyser's port: chosen newsletters fail in it, each time.

The wrapped analyser keeps its name, cache version and breaker, so that nothing around it can tell the two apart until a
planted newsletter comes. What it raises is what Mistral's SDK raises for an answer that is not JSON.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection
from pathlib import Path
from typing import Any, Protocol

FAULTS_VARIABLE = "TOURNEE_SANDBOX_FAULTS"
_SPOILT_ANSWER = '{"title": "The answer stops in the mid'


class AnyAnalyser(Protocol):
    """The shape of the port, said again here because the sandbox imports nothing of the application."""

    name: str
    cache_version: str
    provider: str | None

    async def analyse(self, request: Any) -> Any: ...


class FaultyAnalyser:
    """Fails for the planted Message-IDs, passes everything else through. Angle brackets around an id do not matter."""

    def __init__(self, inner: AnyAnalyser, failing_message_ids: Collection[str]) -> None:
        self._inner = inner
        self._failing = frozenset(_strip(message_id) for message_id in failing_message_ids)
        self.name = inner.name
        self.cache_version = inner.cache_version
        self.provider = inner.provider

    async def analyse(self, request: Any) -> Any:
        """Raises json.JSONDecodeError for a planted newsletter, at each attempt."""
        if request.message_id is not None and _strip(request.message_id) in self._failing:
            json.loads(_SPOILT_ANSWER)
        return await self._inner.analyse(request)


def load_faults(path: Path | str | None = None) -> frozenset[str]:
    """The failing Message-IDs of a faults file; None: the file named by TOURNEE_SANDBOX_FAULTS, no faults if unset.

    The file holds `{"failing_message_ids": [...]}`. ValueError if it holds anything else, OSError if it is not there:
    a planted fault that silently does not happen would make a test pass for nothing.
    """
    named = path if path is not None else os.environ.get(FAULTS_VARIABLE)
    if not named:
        return frozenset()
    content = json.loads(Path(named).read_text(encoding="utf-8"))
    message_ids = content.get("failing_message_ids") if isinstance(content, dict) else None
    if not isinstance(message_ids, list) or not all(isinstance(item, str) for item in message_ids):
        raise ValueError(f"{named}: expected an object with failing_message_ids, a list of strings")
    return frozenset(message_ids)


def write_faults(path: Path, failing_message_ids: Collection[str]) -> None:
    """Write a faults file that `load_faults` reads."""
    path.write_text(
        json.dumps({"failing_message_ids": sorted(failing_message_ids)}, indent=2) + "\n",
        encoding="utf-8",
    )


def _strip(message_id: str) -> str:
    return message_id.strip().removeprefix("<").removesuffix(">").strip()
