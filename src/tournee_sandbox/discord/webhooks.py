"""The webhooks that exist. Their ids and tokens come from the seed, so that a run can be repeated."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass

GUILD_ID = "1049000000000000001"
CHANNEL_ID = "1049000000000000002"


@dataclass(frozen=True, slots=True)
class Webhook:
    """One incoming webhook of a channel."""

    id: str
    token: str
    name: str
    channel_id: str = CHANNEL_ID


class Webhooks:
    """Known webhooks by id; one exists from the start."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._known: dict[str, Webhook] = {}
        self._made = 0
        self.first = self.add("Alerts")

    def add(self, name: str) -> Webhook:
        """Make another one."""
        self._made += 1
        digest = hashlib.sha512(f"{self._seed}:{self._made}".encode()).digest()
        token = base64.urlsafe_b64encode(digest)[:68].decode()
        webhook = Webhook(str(1_049_100_000_000_000_000 + int.from_bytes(digest[:6])), token, name)
        self._known[webhook.id] = webhook
        return webhook

    def find(self, webhook_id: str) -> Webhook | None:
        """The webhook of this id, if it exists."""
        return self._known.get(webhook_id)

    def remove(self, webhook_id: str) -> None:
        """From now on it is unknown, as if somebody had deleted it in Discord."""
        self._known.pop(webhook_id, None)

    def list_all(self) -> list[Webhook]:
        """All that exist."""
        return list(self._known.values())
