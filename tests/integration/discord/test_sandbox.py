"""The Discord simulator over real sockets: rate limits, faults, what it keeps, what its page shows."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.support.discord import CARD, Discord, run_discord
from tests.support.waiting import wait_until
from tournee_sandbox.discord.layout import render_markdown
from tournee_sandbox.discord.rate_limit import RateLimit
from tournee_sandbox.discord.server import DiscordOptions, DiscordSimulator
from tournee_sandbox.journal import FolderInUse

HELLO = {"content": "Hello"}


class Clock:
    """Stands until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def discord(tmp_path: Path, clock: Clock) -> AsyncIterator[Discord]:
    async with run_discord(tmp_path / "discord", DiscordOptions(clock=clock)) as running:
        yield running


async def _list_contents(discord: Discord) -> list[str]:
    page = (await discord.client.get(f"{discord.control}/messages")).json()
    return [message["sent"].get("content") for message in page["messages"]]


async def test_five_requests_pass_in_two_seconds_and_the_sixth_is_told_when_to_come_back(
    discord: Discord, clock: Clock
) -> None:
    remaining = []
    for _ in range(5):
        answer = await discord.post(HELLO)
        assert answer.status_code == 204
        remaining.append(answer.headers["X-RateLimit-Remaining"])
    assert remaining == ["4", "3", "2", "1", "0"]
    clock.now += 0.5
    refused = await discord.post(HELLO)
    assert refused.status_code == 429
    assert (refused.json()["retry_after"], refused.headers["X-RateLimit-Reset-After"]) == (1.5, "1.500")
    assert (refused.headers["Retry-After"], refused.headers["X-RateLimit-Limit"]) == ("2", "5")
    clock.now += 1.5
    assert (await discord.post(HELLO)).status_code == 204
    assert len(await _list_contents(discord)) == 6


async def test_each_webhook_has_its_own_limit(discord: Discord) -> None:
    other = (await discord.client.post(f"{discord.control}/webhooks", params={"name": "Other"})).json()["url"]
    for _ in range(5):
        await discord.post(HELLO)
    assert (await discord.post(HELLO)).status_code == 429
    assert (await discord.client.post(other, json=HELLO)).status_code == 204


async def test_a_path_without_a_version_is_answered_as_the_oldest_version_does(discord: Discord, clock: Clock) -> None:
    url = discord.simulator.read_addresses()["url"]
    long = await discord.client.post(url, json={"content": "x" * 2001})
    assert (long.status_code, long.json()) == (400, {"content": ["Must be 2000 or fewer in length."]})
    several = await discord.client.post(url, json={"embeds": [{"title": "x"}, {}]})
    assert several.json() == {"embeds": ["1"]}
    for _ in range(3):
        await discord.client.post(url, json=HELLO)
    clock.now += 0.75
    refused = await discord.client.post(url, json=HELLO)
    assert (refused.json()["retry_after"], refused.headers["Retry-After"]) == (1250, "1250")


async def test_a_deleted_webhook_is_unknown(discord: Discord) -> None:
    assert (await discord.client.delete(discord.url)).status_code == 204
    assert (await discord.post(HELLO)).json() == {"message": "Unknown Webhook", "code": 10015}


async def test_a_message_can_go_to_a_thread(discord: Discord) -> None:
    answer = await discord.post(HELLO, wait="true", thread_id="1049000000000000777")
    assert answer.json()["channel_id"] == "1049000000000000777"
    assert (await discord.post(HELLO, thread_id="general")).json()["errors"]["thread_id"]


async def test_a_body_that_is_no_json_is_refused(discord: Discord) -> None:
    broken = await discord.client.post(discord.url, content=b"{", headers={"content-type": "application/json"})
    assert (broken.status_code, broken.json()["code"]) == (400, 50109)
    form = await discord.client.post(discord.url, data=HELLO)
    assert (form.status_code, form.json()["code"]) == (400, 50035)


async def test_everyone_is_notified_only_if_the_sender_allows_it(discord: Discord) -> None:
    loud = await discord.post({"content": "@everyone look"}, wait="true")
    quiet = await discord.post({"content": "@everyone look", "allowed_mentions": {"parse": []}}, wait="true")
    assert [answer.json()["mention_everyone"] for answer in (loud, quiet)] == [True, False]


@pytest.mark.parametrize("stored", [False, True])
async def test_a_connection_is_cut_with_or_without_the_message_being_kept(discord: Discord, stored: bool) -> None:
    await discord.set_faults({"kind": "disconnect", "stored": stored, "count": 1})
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        await discord.post({"content": "first"})
    assert (await discord.post({"content": "second"})).status_code == 204
    assert await _list_contents(discord) == (["first", "second"] if stored else ["second"])


async def test_a_request_that_hangs_is_freed_by_the_end(tmp_path: Path) -> None:
    async with run_discord(tmp_path / "discord") as discord:
        await discord.set_faults({"kind": "hang"})
        hanging = asyncio.create_task(discord.post(HELLO))
        await wait_until(lambda: bool(discord.simulator.plan.read()[0]["taken"]))
        assert not hanging.done()
        await discord.simulator.stop()
        with pytest.raises(httpx.TransportError):
            await hanging


async def test_slow_answers_are_right_answers(discord: Discord) -> None:
    await discord.set_faults({"kind": "delay", "seconds": 0.01, "count": 1}, {"kind": "drip", "seconds": 0.01})
    assert (await discord.post(HELLO, wait="true")).json()["content"] == "Hello"
    assert (await discord.post(HELLO, wait="true")).json()["content"] == "Hello"


async def test_the_network_in_front_of_discord_answers_without_json(discord: Discord) -> None:
    await discord.set_faults({"kind": "ban", "seconds": 600, "count": 1}, {"kind": "status", "code": 502})
    banned = await discord.post(HELLO)
    assert (banned.status_code, banned.headers["Retry-After"], banned.text) == (429, "600", "error code: 1015")
    assert "X-RateLimit-Bucket" not in banned.headers
    gateway = await discord.post(HELLO)
    assert (gateway.status_code, gateway.headers["content-type"]) == (502, "text/html")


async def test_faults_strike_chosen_messages_in_the_chosen_number(discord: Discord) -> None:
    await discord.set_faults({"kind": "status", "code": 503, "contains": "urgent", "after": 1, "count": 1})
    answers = [await discord.post({"content": text}) for text in ("urgent", "calm", "urgent", "urgent")]
    assert [answer.status_code for answer in answers] == [204, 204, 503, 204]
    await discord.client.delete(f"{discord.control}/faults")
    assert (await discord.client.get(f"{discord.control}/faults")).json() == []


async def test_a_plan_that_is_none_is_refused(discord: Discord) -> None:
    refused = await discord.client.put(f"{discord.control}/faults", json=[{"kind": "explode"}])
    assert refused.status_code == 422
    sneaked = await discord.client.post(
        f"{discord.control}/faults", content="[]", headers={"content-type": "text/plain"}
    )
    assert sneaked.status_code == 415


async def test_a_fault_with_a_probability_strikes_the_same_messages_in_every_run(tmp_path: Path) -> None:
    async def run(name: str, texts: list[str]) -> dict[str, int]:
        options = DiscordOptions(limit=RateLimit(requests=100))
        async with run_discord(tmp_path / name, options, seed=7) as discord:
            await discord.set_faults({"kind": "status", "code": 500, "probability": 0.5})
            return {text: (await discord.post({"content": text})).status_code for text in texts}

    texts = [f"message {number}" for number in range(20)]
    first, second = await run("a", texts), await run("b", texts[::-1])
    assert first == second
    assert set(first.values()) == {204, 500}


async def test_messages_outlive_a_restart_on_the_same_port(discord: Discord, tmp_path: Path) -> None:
    url = discord.url
    await discord.post(HELLO)
    await discord.simulator.stop()
    with pytest.raises(httpx.ConnectError):
        await discord.post(HELLO)
    with (tmp_path / "discord" / "messages.jsonl").open("ab") as file:
        file.write(b'{"torn')
    await discord.simulator.start()
    assert discord.url == url
    assert (await discord.post({"content": "again"})).status_code == 204
    assert await _list_contents(discord) == ["Hello", "again"]
    lines = (tmp_path / "discord" / "messages.jsonl").read_text().splitlines()
    assert [json.loads(line)["sent"]["content"] for line in lines] == ["Hello", "again"]


async def test_a_second_simulator_in_the_same_folder_is_refused(discord: Discord, tmp_path: Path) -> None:
    second = DiscordSimulator(tmp_path / "discord", seed=2)
    with pytest.raises(FolderInUse):
        await second.start()
    await second.stop()


async def test_the_page_lays_a_card_out_without_fetching_anything(discord: Discord) -> None:
    await discord.post({"username": "Tournée", "embeds": [CARD]})
    answer = await discord.client.get(f"{discord.control}/page/1")
    page = answer.text
    assert "border-color:#ed4245" in page
    assert "<strong>Nothing is lost.</strong>" in page
    assert '<div class="field inline"><div class="name">Since</div>' in page
    assert "<pre>ConnectionRefusedError\n</pre>" in page
    assert "production • 20/11/2026 09:30" in page
    assert "src=" not in page
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert (await discord.client.get(f"{discord.control}/page/2")).status_code == 404


async def test_the_page_escapes_what_strangers_wrote(discord: Discord) -> None:
    evil = '<script>alert(1)</script> [x](javascript:alert(1)) "><b'
    await discord.post({"content": evil, "username": "<i>", "embeds": [{"title": evil, "footer": {"text": evil}}]})
    page = (await discord.client.get(discord.control)).text
    assert "<script>" not in page
    assert "<i>" not in page
    assert 'href="javascript' not in page


def test_marks_and_times_are_read_as_discord_reads_them() -> None:
    assert render_markdown("<t:0:T> `a**b`") == "<time>00:00:00</time> <code>a**b</code>"
    assert render_markdown("<t:99999999999:R>").startswith("<time>in ")
    assert render_markdown("<t:0:R>").endswith(" days ago</time>")
