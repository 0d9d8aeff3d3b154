"""Debian's Prometheus and its promtool: the real reader of what is exposed, and of the rules."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tournee.kit.ports import LOOPBACK, find_free_port

READY_SECONDS = 30.0


class PrometheusMissing(Exception):
    """It is not installed, and may not be installed by a test."""


def find_program(name: str) -> str:
    """The path of `prometheus` or `promtool`; installed where that is wished for, else raises."""
    found = shutil.which(name)
    if found is None and os.environ.get("TOURNEE_TEST_INSTALL") == "1" and os.geteuid() == 0:
        # Run level 1 keeps the package's own service from being started.
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
        for words in (["update"], ["install", "-y", "--no-install-recommends", "prometheus"]):
            with suppress(FileNotFoundError):
                subprocess.run(["apt-get", "-q", *words], env=environment, check=False, capture_output=True)
        found = shutil.which(name)
    if found is None:
        raise PrometheusMissing(f"{name} not installed (TOURNEE_TEST_INSTALL=1 as root on Debian installs it)")
    return found


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A running server."""

    url: str

    async def ask(self, path: str, parameters: Mapping[str, str] | None = None) -> Any:
        """The data of an answer of its API; an error is one of the test."""
        async with httpx.AsyncClient(base_url=self.url, trust_env=False, timeout=30) as client:
            answer = (await client.get(f"/api/v1/{path}", params=parameters)).json()
        assert answer["status"] == "success", (parameters, answer)
        return answer["data"]

    async def query(self, text: str) -> list[Any]:
        """What an instant query finds."""
        found: list[Any] = (await self.ask("query", {"query": text}))["result"]
        return found


@asynccontextmanager
async def run_prometheus(program: str, folder: Path, config: str) -> AsyncIterator[Prometheus]:
    """A server with this configuration, which keeps its data in `folder`."""
    port = find_free_port()
    file = folder / "prometheus.yml"
    await asyncio.to_thread(file.write_text, config)
    words: Sequence[str] = (
        f"--config.file={file}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={LOOPBACK}:{port}",
        "--log.level=warn",
    )
    process = await asyncio.create_subprocess_exec(program, *words, stderr=asyncio.subprocess.DEVNULL)
    server = Prometheus(f"http://{LOOPBACK}:{port}")
    try:
        await _wait_until_ready(server, process)
        yield server
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def _wait_until_ready(server: Prometheus, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(READY_SECONDS), httpx.AsyncClient(trust_env=False) as client:
        while not await _is_ready(client, server):
            assert process.returncode is None, "prometheus ended at once"
            await asyncio.sleep(0.1)


async def _is_ready(client: httpx.AsyncClient, server: Prometheus) -> bool:
    try:
        return (await client.get(f"{server.url}/-/ready")).is_success
    except httpx.HTTPError:
        return False
