"""The embedded analyser: keeps the port `Analyser` with nothing but this machine.

It owns no state. The work is CPU-bound, so that it never runs on the event loop: in the process pool that bootstrap
hands in, else in a thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from tournee.integrations.local.analyser.analysis import ANALYSER_VERSION, analyse_text
from tournee.pipeline.ports import Analysis, AnalysisRequest


class Runner(Protocol):
    """Runs a picklable function off the event loop, within the limits of whoever owns the pool."""

    async def __call__(
        self, function: Callable[[AnalysisRequest], Analysis], request: AnalysisRequest, /
    ) -> Analysis: ...


class EmbeddedAnalyser:
    """Extractive, offline, deterministic; English, French and German best, other languages decently."""

    name = "embedded"
    provider: str | None = None

    def __init__(self, run: Runner | None = None) -> None:
        self.cache_version = f"embedded-{ANALYSER_VERSION}"
        self._run: Runner = run or asyncio.to_thread

    async def analyse(self, request: AnalysisRequest) -> Analysis:
        """Analyse one newsletter. Raises only what the runner raises (a limit of time or memory exceeded)."""
        return await self._run(analyse_text, request)
