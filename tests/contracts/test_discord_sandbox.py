"""The Discord simulator against Discord's published specification: what it answers, and what it takes.

Two differences are known and meant. The specification gives the code of a single form error as a number; what Discord
sends, and documents, is a name such as `BASE_TYPE_MAX_LENGTH`. It asks for a code in each rate limit; by the
documentation there is one for some limits only, and a client that needs it would fail.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
import pytest_asyncio

from tests.support.discord import CARD, Discord, run_discord
from tournee_sandbox.discord.rate_limit import RateLimit
from tournee_sandbox.discord.server import DiscordOptions

EXECUTE = "/webhooks/{webhook_id}/{webhook_token}"
WIDE = DiscordOptions(limit=RateLimit(requests=1_000))


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def simulated(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Discord]:
    async with run_discord(tmp_path_factory.mktemp("discord"), WIDE) as running:
        yield running


@pytest.fixture
def discord(simulated: Discord) -> Discord:
    """The same one for all; no fault of an earlier test is left."""
    simulated.simulator.plan.put([])
    return simulated


@pytest.fixture
def specification(specs: Path) -> dict[str, Any]:
    content = (specs / "discord" / "webhooks-subset.openapi.json").read_text(encoding="utf-8")
    read: dict[str, Any] = json.loads(content)
    return read


def _check(specification: dict[str, Any], name: str, value: Any) -> None:
    schema = {"$ref": f"#/components/schemas/{name}", "components": specification["components"]}
    jsonschema.Draft202012Validator(schema).validate(value)


def _is_taken(specification: dict[str, Any], body: Any) -> bool:
    schema = {"$ref": "#/components/schemas/IncomingWebhookRequestPartial", "components": specification["components"]}
    return bool(jsonschema.Draft202012Validator(schema).is_valid(body))


def _check_headers(specification: dict[str, Any], answer: httpx.Response) -> None:
    """Every header that the specification names is there and of its type."""
    for name, header in specification["components"]["headers"].items():
        value: Any = answer.headers[name]
        kind = header["schema"]["type"]
        jsonschema.validate({"integer": int, "number": float}.get(kind, str)(value), header["schema"])


def _with_numbers(body: dict[str, Any]) -> dict[str, Any]:
    """The same error body with a number for each named code."""

    def replace(node: Any) -> Any:
        if isinstance(node, list):
            return [{**fault, "code": 0} if isinstance(fault["code"], str) else fault for fault in node]
        return {name: replace(value) for name, value in node.items()}

    return {**body, "errors": replace(body["errors"])} if "errors" in body else body


MESSAGES: list[dict[str, Any]] = [
    {"content": "x" * 2000},
    {"content": "Hi @everyone", "allowed_mentions": {"parse": []}, "username": "Tournée", "tts": False},
    {"embeds": [CARD]},
    {"embeds": [{"title": "x" * 256, "description": "y" * 4096, "color": 0}]},
    {"embeds": [{"title": "x"}] * 10},
    {"embeds": [{"fields": [{"name": "x" * 256, "value": "y", "inline": None}] * 20}]},
    {"embeds": [{"title": "a", "fields": [{"name": "n", "value": "v" * 1024}] * 5, "footer": {"text": "f" * 500}}]},
    {"content": "é😀", "embeds": None, "flags": 4, "unknown": {"is": "ignored"}},
]


@pytest.mark.parametrize("body", MESSAGES, ids="+".join)
async def test_a_message_within_the_limits_is_taken_and_given_back_as_specified(
    discord: Discord, specification: dict[str, Any], body: dict[str, Any]
) -> None:
    assert _is_taken(specification, body)
    answer = await discord.post(body, wait="true")
    assert answer.status_code == 200, answer.text
    _check(specification, "MessageResponse", answer.json())
    _check_headers(specification, answer)


async def test_without_wait_the_answer_is_empty(discord: Discord, specification: dict[str, Any]) -> None:
    answer = await discord.post({"content": "Hi"})
    assert (answer.status_code, answer.content) == (204, b"")
    _check_headers(specification, answer)
    assert "204" in specification["paths"][EXECUTE]["post"]["responses"]


BEYOND_THE_SPECIFICATION: list[dict[str, Any]] = [
    {"content": "x" * 2001},
    {"embeds": [{"title": "x"}] * 11},
    {"embeds": [{"title": "x" * 257}]},
    {"embeds": [{"description": "x" * 4097}]},
    {"embeds": [{"fields": [{"name": "n", "value": "v"}] * 26}]},
    {"embeds": [{"title": "t", "fields": [{"name": "x" * 257, "value": "v"}]}]},
    {"embeds": [{"title": "t", "fields": [{"name": "n", "value": "v" * 1025}]}]},
    {"embeds": [{"title": "t", "fields": [{"name": "n"}]}]},
    {"embeds": [{"title": "t", "footer": {"text": "x" * 2049}}]},
    {"embeds": [{"title": "t", "author": {"name": "x" * 257}}]},
    {"embeds": [{"title": "t", "color": 0x1000000}]},
    {"embeds": [{"title": "t", "color": -1}]},
    {"embeds": {"title": "t"}},
    {"embeds": ["t"]},
    {"content": "x", "username": "x" * 81},
    {"content": "x", "username": ""},
    {"content": "x", "allowed_mentions": {"parse": ["all"]}},
]
"""What the specification itself refuses."""

BEYOND_THE_DOCUMENTATION: list[tuple[dict[str, Any], int]] = [
    ({}, 50006),
    ({"content": "  \n"}, 50006),
    ({"embeds": []}, 50006),
    ({"embeds": [{}]}, 50035),
    ({"embeds": [{"color": 1}]}, 50035),
    ({"embeds": [{"description": "x" * 3001}] * 2}, 50035),
    ({"embeds": [{"title": "t", "fields": [{"name": "n", "value": " "}]}]}, 50035),
    ({"content": "x", "username": "My Discord"}, 50035),
    ({"embeds": [{"title": "t", "timestamp": "yesterday"}]}, 50035),
    ({"embeds": [{"title": "t", "url": "javascript:alert(1)"}]}, 50035),
]
"""What the schema cannot say, and Discord refuses."""


@pytest.mark.parametrize("body", BEYOND_THE_SPECIFICATION, ids=range(len(BEYOND_THE_SPECIFICATION)))
async def test_what_the_specification_refuses_is_refused(
    discord: Discord, specification: dict[str, Any], body: dict[str, Any]
) -> None:
    assert not _is_taken(specification, body)
    answer = await discord.post(body)
    assert (answer.status_code, answer.json()["code"]) == (400, 50035)
    _check(specification, "ErrorResponse", _with_numbers(answer.json()))
    _check_headers(specification, answer)


@pytest.mark.parametrize(("body", "code"), BEYOND_THE_DOCUMENTATION, ids=range(len(BEYOND_THE_DOCUMENTATION)))
async def test_what_only_the_documentation_refuses_is_refused(
    discord: Discord, specification: dict[str, Any], body: dict[str, Any], code: int
) -> None:
    assert _is_taken(specification, body)
    answer = await discord.post(body)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    _check(specification, "ErrorResponse", _with_numbers(answer.json()))


async def test_the_webhook_itself_is_described_as_specified(discord: Discord, specification: dict[str, Any]) -> None:
    answer = await discord.client.get(discord.url)
    _check(specification, "GuildIncomingWebhookResponse", answer.json())
    assert answer.json()["url"] == discord.simulator.read_addresses()["url"]


async def test_unknown_webhooks_and_wrong_tokens_get_the_specified_error(
    discord: Discord, specification: dict[str, Any]
) -> None:
    wrong_token = await discord.client.post(discord.url + "x", json={"content": "Hi"})
    assert (wrong_token.status_code, wrong_token.json()["code"]) == (401, 50027)
    unknown = await discord.client.post(discord.url.replace("/webhooks/", "/webhooks/9"), json={"content": "Hi"})
    assert (unknown.status_code, unknown.json()["code"]) == (404, 10015)
    for answer in (wrong_token, unknown):
        _check(specification, "ErrorResponse", answer.json())


@pytest.mark.parametrize("scope", ["user", "shared", "global"])
async def test_a_rate_limit_is_told_as_specified(discord: Discord, specification: dict[str, Any], scope: str) -> None:
    await discord.set_faults({"kind": "ratelimit", "seconds": 1.25, "scope": scope})
    answer = await discord.post({"content": "Hi"})
    assert answer.status_code == 429
    _check(specification, "RatelimitedResponse", {"code": 0, **answer.json()})
    assert answer.json() == {
        "message": "You are being rate limited.",
        "retry_after": 1.25,
        "global": scope == "global",
    }
    assert (answer.headers["Retry-After"], answer.headers["X-RateLimit-Scope"]) == ("2", scope)
    if scope == "global":
        assert answer.headers["X-RateLimit-Global"] == "true"
    else:
        _check_headers(specification, answer)


@pytest.mark.parametrize("status", [400, 403, 500])
async def test_planned_errors_have_the_specified_body(
    discord: Discord, specification: dict[str, Any], status: int
) -> None:
    await discord.set_faults({"kind": "status", "code": status})
    answer = await discord.post({"content": "Hi"})
    assert answer.status_code == status
    _check(specification, "ErrorResponse", answer.json())


async def test_every_path_is_one_that_discord_has(discord: Discord, specification: dict[str, Any]) -> None:
    methods = specification["paths"][EXECUTE]
    assert {"get", "post", "delete"} <= set(methods)
    assert specification["servers"][0]["url"].endswith("/api/v10")
    assert (await discord.client.put(discord.url, json={})).status_code == 405
    assert (await discord.client.post(discord.control + "/api/webhooks", json={})).status_code == 404
