"""The webhook against the sandbox's Discord, which keeps Discord's limits and answers as Discord does."""

from __future__ import annotations

import json
import logging
import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tournee.alerts import Severity
from tournee.alerts.ports import Closed, Message, Phase, RateLimited, Refused, Unreachable
from tournee.integrations.discord.embeds import MAX_ALL, build_embed, build_payload, count_fitting
from tournee.integrations.discord.webhook import DiscordWebhook
from tournee_sandbox.discord.fault import DiscordFault
from tournee_sandbox.sandbox import Sandbox

MESSAGE = Message(
    incident="a1",
    condition="error-500",
    phase=Phase.OPENED,
    severity=Severity.ERROR,
    title="Error 500: GET /items/{id}",
    text="3 times",
    fields=[("Error", "KeyError"), ("Since", "2026-03-01 12:00:00 UTC")],
    meaning="A request ended in a fault.",
    remedy="Look into the log.",
    link="http://127.0.0.1:8420/jobs/7",
    footer="Tournée · api",
    at=datetime(2026, 3, 1, 12, tzinfo=UTC),
)


def open_webhook(sandbox: Sandbox, timeout_seconds: float = 10.0) -> DiscordWebhook:
    return DiscordWebhook(sandbox.read_addresses()["discord"]["url"], timeout_seconds)


async def test_a_message_arrives_as_an_embed_that_pings_nobody(sandbox: Sandbox) -> None:
    webhook = open_webhook(sandbox)
    await webhook.send([replace(MESSAGE, title="@everyone <@1> `x` [a](http://b) look"), MESSAGE])
    await webhook.close()
    [kept] = sandbox.discord.store.messages
    assert not kept.mentions_everyone
    assert kept.sent["allowed_mentions"] == {"parse": []}
    assert len(kept.sent["embeds"]) == 2
    assert kept.sent["embeds"][0]["title"] == "＠everyone ‹＠1› 'x' \\[a\\](http://b) look"
    assert kept.sent["embeds"][1]["url"] == "http://127.0.0.1:8420/jobs/7"


async def test_what_is_too_long_is_cut_to_discords_sizes_and_still_taken(sandbox: Sandbox) -> None:
    webhook = open_webhook(sandbox)
    fields = [("🔥" * 300, "🔥" * 2_000) for _ in range(40)]
    huge = replace(MESSAGE, title="t" * 900, text="x" * 9_000, fields=fields, footer="f" * 5_000)
    assert count_fitting([huge, huge]) == 1
    embed = build_embed(huge)
    texts = [embed["title"], embed["description"], embed["footer"]["text"]]
    texts += [text for field in embed["fields"] for text in (field["name"], field["value"])]
    # Whichever way Discord counts: a sign outside the plane is two of its units.
    assert sum(len(text.encode("utf-16-le")) // 2 for text in texts) <= MAX_ALL
    await webhook.send([huge])
    await webhook.close()
    assert len(sandbox.discord.store.messages) == 1


async def test_no_more_go_into_one_message_than_fit(sandbox: Sandbox) -> None:
    many = [replace(MESSAGE, incident=str(number)) for number in range(25)]
    assert count_fitting(many) == 10
    long = [replace(message, meaning="m" * 1_900) for message in many]
    assert count_fitting(long) == 2
    webhook = open_webhook(sandbox)
    await webhook.send(many[:10])
    await webhook.send(long[:2])
    await webhook.close()
    assert [len(kept.sent["embeds"]) for kept in sandbox.discord.store.messages] == [10, 2]


async def test_the_end_of_a_window_is_waited_for(sandbox: Sandbox) -> None:
    webhook = open_webhook(sandbox)
    pauses = [await webhook.send([MESSAGE]) for _ in range(5)]
    assert pauses[:4] == [0.0] * 4
    assert 0 < pauses[4] <= 2
    with pytest.raises(RateLimited) as limited:
        await webhook.send([MESSAGE])
    await webhook.close()
    assert 0 < limited.value.seconds <= 2, "seconds, though the address names no version"


@pytest.mark.parametrize(
    ("fault", "seconds"),
    [
        (DiscordFault(kind="ratelimit", scope="global", seconds=7), 7),
        (DiscordFault(kind="ratelimit", scope="shared", seconds=3), 3),
        (DiscordFault(kind="ban", seconds=60), 60),
    ],
    ids=["global", "shared", "ban"],
)
async def test_a_limit_says_how_long(sandbox: Sandbox, fault: DiscordFault, seconds: float) -> None:
    sandbox.discord.plan.put([fault])
    webhook = open_webhook(sandbox)
    with pytest.raises(RateLimited) as limited:
        await webhook.send([MESSAGE])
    await webhook.close()
    assert seconds - 1 <= limited.value.seconds <= seconds + 1


@pytest.mark.parametrize("code", [401, 403, 404])
async def test_a_webhook_that_is_gone_is_told_so(sandbox: Sandbox, code: int) -> None:
    sandbox.discord.plan.put([DiscordFault(kind="status", code=code)])
    webhook = open_webhook(sandbox)
    with pytest.raises(Closed, match=str(code)):
        await webhook.send([MESSAGE])
    await webhook.close()


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (DiscordFault(kind="status", code=500), Unreachable),
        (DiscordFault(kind="status", code=503), Unreachable),
        (DiscordFault(kind="disconnect"), Unreachable),
        (DiscordFault(kind="hang"), Unreachable),
        (DiscordFault(kind="status", code=400), Refused),
    ],
    ids=["500", "503", "disconnect", "hang", "400"],
)
async def test_each_failure_has_its_meaning(sandbox: Sandbox, fault: DiscordFault, error: type[Exception]) -> None:
    sandbox.discord.plan.put([fault])
    webhook = open_webhook(sandbox, timeout_seconds=0.3 if fault.kind == "hang" else 60.0)
    with pytest.raises(error) as raised:
        await webhook.send([MESSAGE])
    await webhook.close()
    assert sandbox.discord.webhooks.first.token not in str(raised.value)
    assert raised.value.__cause__ is None


async def test_the_webhooks_secret_is_in_no_log(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    for name in (None, "httpx", "httpcore"):
        # Another test's set-up may have quietened the client.
        caplog.set_level(logging.DEBUG, logger=name)
    webhook = open_webhook(sandbox)
    await webhook.send([MESSAGE])
    await webhook.close()
    ours = [record.getMessage() for record in caplog.records if not record.name.startswith("uvicorn")]
    assert any("/webhooks/" in message for message in ours), "the client logs its requests"
    assert sandbox.discord.webhooks.first.token not in str(ours)


@pytest.mark.skipif("TOURNEE_SPECS" not in os.environ, reason="needs TOURNEE_SPECS")
def test_the_body_is_what_discords_own_description_allows() -> None:
    path = Path(os.environ["TOURNEE_SPECS"]) / "discord" / "webhooks-subset.openapi.json"
    described: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    schema = {"$ref": "#/components/schemas/IncomingWebhookRequestPartial", "components": described["components"]}
    jsonschema.validate(build_payload([MESSAGE] * 10), schema)
