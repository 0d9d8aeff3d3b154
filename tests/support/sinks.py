"""The sandbox's SMTP server for end-to-end tests, and what it received."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tournee_sandbox.sandbox import Sandbox

PAGE = 1_000


@dataclass(frozen=True, slots=True)
class MailSink:
    """Where to send, and what came."""

    url: str
    control: str

    async def count_by_message_id(self) -> Counter[str]:
        """How often each Message-ID came. A repeat bears the id of its first, so that a receiver can drop it."""
        counted: Counter[str] = Counter()
        async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
            while True:
                query = {"offset": counted.total(), "limit": PAGE}
                page = (await client.get(f"{self.control}/mails", params=query)).raise_for_status().json()["mails"]
                counted.update(mail["message_id"] for mail in page)
                if len(page) < PAGE:
                    return counted


@asynccontextmanager
async def open_mail_sink(folder: Path) -> AsyncIterator[MailSink]:
    """An SMTP server that keeps what it receives."""
    async with Sandbox(folder) as sandbox:
        addresses = sandbox.read_addresses()["smtp"]
        yield MailSink(addresses["url"], addresses["control"])
