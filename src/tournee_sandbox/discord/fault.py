"""The ways in which Discord misbehaves, beside those of every HTTP service."""

from __future__ import annotations

from typing import Literal

from tournee_sandbox.http_faults import HttpFault


class DiscordFault(HttpFault):
    """`ratelimit` answers 429 with `retry_after` of `seconds` and the given `scope`, whatever the window holds · `ban`
    answers as the network in front of Discord does to an address that sent too many invalid requests: 429, no JSON, no
    rate-limit headers, `Retry-After` of `seconds`.
    """

    kind: Literal["status", "hang", "disconnect", "delay", "drip", "ratelimit", "ban"]  # type: ignore[assignment]
    scope: Literal["user", "global", "shared"] = "user"
