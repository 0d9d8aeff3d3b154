"""The bodies that Discord answers with: messages, webhooks, errors, rate limits.

Two forms exist. From version 8 on errors are trees and `retry_after` counts seconds; the versions before, which a path
without a version gets too, answer flat errors and count milliseconds, in `Retry-After` also.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from starlette.responses import JSONResponse, PlainTextResponse, Response

from tournee_sandbox.discord.form_errors import to_old_form
from tournee_sandbox.discord.message_store import ReceivedMessage
from tournee_sandbox.discord.request import Embed, Message
from tournee_sandbox.discord.webhooks import GUILD_ID, Webhook

FIRST_VERSION_IN_SECONDS = 8
DEFAULT_VERSION = 6
RATE_LIMITED = "You are being rate limited."
STATUS_WORDS = {
    401: "401: Unauthorized",
    403: "Missing Permissions",
    404: "404: Not Found",
    500: "Internal Server Error",
}

Scope = Literal["user", "global", "shared"]


@dataclass(frozen=True, slots=True)
class RateLimited:
    """A 429. `seconds` until the next request may come."""

    seconds: float
    scope: Scope = "user"


def answer_rate_limited(told: RateLimited, headers: Mapping[str, str], version: int) -> Response:
    """429 with Discord's body and headers."""
    unit = 1 if version >= FIRST_VERSION_IN_SECONDS else 1000
    wait = math.ceil(told.seconds * 1000) * unit / 1000
    body = {"message": RATE_LIMITED, "retry_after": wait if unit == 1 else int(wait), "global": told.scope == "global"}
    more = {"Retry-After": str(math.ceil(wait)), "X-RateLimit-Scope": told.scope}
    if told.scope == "global":  # The whole account is meant: no bucket is told.
        return JSONResponse(body, 429, {**more, "X-RateLimit-Global": "true"})
    emptied = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset-After": f"{told.seconds:.3f}"}
    return JSONResponse(body, 429, {**headers, **emptied, **more})


def answer_ban(seconds: float) -> Response:
    """What the network in front of Discord says to an address that it has shut out."""
    return PlainTextResponse("error code: 1015", 429, {"Retry-After": str(math.ceil(seconds)), "Server": "cloudflare"})


def answer_invalid(body: Mapping[str, Any], headers: Mapping[str, str], version: int) -> Response:
    """400 in the form of the version."""
    told = body if version >= FIRST_VERSION_IN_SECONDS else to_old_form(body)
    return JSONResponse(told, 400, headers)


def answer_error(status: int, headers: Mapping[str, str]) -> Response:
    """A status of the fault plan, worded as Discord words it; from 502 on it is not Discord who answers."""
    if status in (401, 404):
        invalid = {"message": "Invalid Webhook Token", "code": 50027}
        unknown = {"message": "Unknown Webhook", "code": 10015}
        return JSONResponse(invalid if status == 401 else unknown, status)
    if status >= 502:
        page = f"<html><head><title>{status}</title></head><body>cloudflare</body></html>"
        return Response(page, status, {"Content-Type": "text/html", "Server": "cloudflare"})
    code = 50013 if status == 403 else 0
    return JSONResponse({"message": STATUS_WORDS.get(status, str(status)), "code": code}, status, headers)


def describe_webhook(webhook: Webhook, url: str) -> dict[str, Any]:
    """The answer to a question about a webhook."""
    return {
        "application_id": None,
        "avatar": None,
        "channel_id": webhook.channel_id,
        "guild_id": GUILD_ID,
        "id": webhook.id,
        "name": webhook.name,
        "type": 1,
        "token": webhook.token,
        "url": url,
    }


def describe_message(received: ReceivedMessage, message: Message) -> dict[str, Any]:
    """The message as `?wait=true` gets it back."""
    return {
        "type": 0,
        "content": message.content or "",
        "mentions": [],
        "mention_roles": [],
        "attachments": [],
        "embeds": [_describe_embed(embed) for embed in message.embeds or ()],
        "timestamp": received.received_at,
        "edited_timestamp": None,
        "flags": message.flags or 0,
        "components": [],
        "id": received.id,
        "channel_id": received.channel_id,
        "author": _describe_author(received, message),
        "pinned": False,
        "mention_everyone": received.mentions_everyone,
        "tts": bool(message.tts),
        "webhook_id": received.webhook_id,
    }


def _describe_embed(embed: Embed) -> dict[str, Any]:
    kept = embed.model_dump(mode="json", exclude_none=True)
    if embed.fields is not None:
        kept["fields"] = [{**field, "inline": bool(field.get("inline"))} for field in kept["fields"]]
    for name, needed in (("footer", "text"), ("author", "name")):
        if name in kept and needed not in kept[name]:
            del kept[name]
    return {"type": "rich", **kept}


def _describe_author(received: ReceivedMessage, message: Message) -> dict[str, Any]:
    return {
        "id": received.webhook_id,
        "username": message.username or received.webhook_name,
        "avatar": None,
        "discriminator": "0000",
        "public_flags": 0,
        "flags": 0,
        "bot": True,
        "global_name": None,
        "primary_guild": None,
    }
