"""The webhook: one POST for some alerts, and what its answer means.

Keeps: Discord's rate limits are read from its headers and obeyed, also the global one; 401, 403 and 404 end it for
good; the webhook's address, which is a password, is in no log and in no error. Refuses to follow a redirect.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Sequence

import httpx

from tournee.alerts.ports import Closed, Message, RateLimited, Refused, Unreachable
from tournee.integrations.discord.embeds import build_payload, count_fitting

TIMEOUT_SECONDS = 10.0
LIMIT_SECONDS = 5.0
"""How long to keep away after a 429 that names no time."""
API_VERSION = "v10"
"""The version that this file was written for. In a path without one, Discord counts milliseconds."""
GONE = frozenset({401, 403, 404})
_SECRET = re.compile(r"(/webhooks/\d+/)[^/?\s\"']+")
_WITHOUT_VERSION = re.compile(r"/api/(?=webhooks/)")


class DiscordWebhook:
    """Posts to `url`. Used in one event loop."""

    name = "discord"

    def __init__(self, url: str, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        hide_webhooks()
        self._url = _WITHOUT_VERSION.sub(f"/api/{API_VERSION}/", url, count=1)
        self._timeout_seconds = timeout_seconds
        self._client = httpx.AsyncClient(timeout=timeout_seconds, follow_redirects=False)

    def count_fitting(self, messages: Sequence[Message]) -> int:
        return count_fitting(messages)

    async def send(self, messages: Sequence[Message]) -> float:
        try:
            # The client's own limit is for each part of an exchange, and an answer may trickle in for ever.
            async with asyncio.timeout(2 * self._timeout_seconds):
                answer = await self._client.post(self._url, json=build_payload(messages))
        except (httpx.HTTPError, TimeoutError) as error:
            raise Unreachable(type(error).__name__) from None
        return _read_answer(answer)

    async def close(self) -> None:
        await self._client.aclose()


def _read_answer(answer: httpx.Response) -> float:
    """For how many seconds the webhook must be left alone; raises what else the answer means."""
    status = answer.status_code
    if answer.is_success:
        exhausted = answer.headers.get("x-ratelimit-remaining") == "0"
        return _read_seconds(answer.headers.get("x-ratelimit-reset-after")) or 0.0 if exhausted else 0.0
    if status == httpx.codes.TOO_MANY_REQUESTS:
        raise RateLimited(_read_limit(answer))
    if status in GONE:
        raise Closed(f"Discord answers {status}: the webhook is not there any more, or not ours")
    if answer.is_server_error:
        raise Unreachable(f"Discord answers {status}")
    raise Refused(f"Discord answers {status} (code {_read_code(answer)})")


def _read_limit(answer: httpx.Response) -> float:
    """The longest of what header and body ask for: the body is exact, the header is there for the global limit too."""
    asked = [_read_seconds(answer.headers.get(name)) for name in ("retry-after", "x-ratelimit-reset-after")]
    asked.append(_read_seconds(_read_body(answer).get("retry_after")))
    return max((seconds for seconds in asked if seconds is not None), default=LIMIT_SECONDS)


def _read_seconds(value: object) -> float | None:
    try:
        seconds = float(str(value))
    except ValueError:
        return None
    return seconds if 0 <= seconds < float("inf") else None


def _read_code(answer: httpx.Response) -> object:
    code = _read_body(answer).get("code")
    return code if isinstance(code, int) else "unknown"


def _read_body(answer: httpx.Response) -> dict[str, object]:
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


class _HideWebhooks(logging.Filter):
    """Takes the secret part out of webhooks' addresses."""

    def filter(self, record: logging.LogRecord) -> bool:
        """See `logging.Filter`."""
        message = record.getMessage()
        if "/webhooks/" in message:
            record.msg, record.args = _SECRET.sub(r"\1…", message), None
        return True


_FILTER = _HideWebhooks()


def hide_webhooks() -> None:
    """The HTTP client logs each request with its address; ours must not be seen there."""
    logging.getLogger("httpx").addFilter(_FILTER)
