"""The control interface of the SMTP simulator."""

from __future__ import annotations

import smtplib
from collections.abc import AsyncIterator
from pathlib import Path

import anyio.to_thread
import httpx
import pytest

from tournee_sandbox.smtp.server import SmtpSimulator


@pytest.fixture
async def simulator(tmp_path: Path) -> AsyncIterator[SmtpSimulator]:
    running = SmtpSimulator(tmp_path / "smtp", seed=1)
    await running.start()
    yield running
    await running.stop()


@pytest.fixture
async def control(simulator: SmtpSimulator) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=simulator.read_addresses()["control"], trust_env=False, timeout=60) as client:
        yield client


async def _deliver(simulator: SmtpSimulator, name: str, to: str = "ada@reader.example", subject: str = "Hi") -> None:
    """With the standard library's client, so that not only ours is known to get along with the server."""

    def deliver() -> None:
        with smtplib.SMTP("127.0.0.1", int(simulator.read_addresses()["url"].rpartition(":")[2]), timeout=60) as client:
            client.sendmail("a@x.example", [to], f"Message-ID: <{name}@x.example>\nSubject: {subject}\n\nText\n")

    await anyio.to_thread.run_sync(deliver)


async def test_what_was_received_can_be_read_counted_and_filtered(
    simulator: SmtpSimulator, control: httpx.AsyncClient
) -> None:
    for name, to in (("1", "ada@reader.example"), ("2", "bob@reader.example"), ("1", "bob@reader.example")):
        await _deliver(simulator, name, to)
    assert (await control.get("/mails/count")).json() == {"count": 3, "distinct": 2, "repeats": 1}
    assert (await control.get("/mails/repeats")).json() == [
        {"message_id": "<1@x.example>", "times": 2, "recipients": ["ada@reader.example", "bob@reader.example"]}
    ]
    page = (await control.get("/mails", params={"recipient": "bob@reader.example", "limit": 1})).json()
    assert (page["total"], [mail["number"] for mail in page["mails"]]) == (2, [2])
    assert (await control.get("/mails", params={"message_id": "<2@x.example>"})).json()["total"] == 1


async def test_one_mail_is_served_as_it_came(simulator: SmtpSimulator, control: httpx.AsyncClient) -> None:
    await _deliver(simulator, "1")
    answer = await control.get("/mails/1")
    assert answer.headers["content-type"] == "message/rfc822"
    assert answer.content.startswith(b"Message-ID: <1@x.example>\r\n")
    assert (await control.get("/mails/2")).status_code == 404


async def test_the_page_escapes_what_strangers_wrote(simulator: SmtpSimulator, control: httpx.AsyncClient) -> None:
    await _deliver(simulator, "1", subject="<script>alert(1)</script>")
    page = (await control.get("/")).text
    assert "&lt;script&gt;" in page
    assert "<script>" not in page


async def test_faults_are_set_read_and_cleared(simulator: SmtpSimulator, control: httpx.AsyncClient) -> None:
    plan = [{"kind": "refuse", "stage": "rcpt", "code": 550, "text": "5.1.1 No such user", "count": 1}]
    assert (await control.put("/faults", json=plan)).json()[0]["taken"] == 0
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        await _deliver(simulator, "1")
    assert (await control.get("/faults")).json()[0]["taken"] == 1
    assert (await control.delete("/faults")).json() == []
    await _deliver(simulator, "1")


@pytest.mark.parametrize("body", ["{}", '[{"kind": "explode"}]', "[", '[{"kind": "refuse", "code": 200}]'])
async def test_a_plan_that_makes_no_sense_changes_nothing(body: str, control: httpx.AsyncClient) -> None:
    await control.put("/faults", json=[{"kind": "hang"}])
    answer = await control.put("/faults", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert (await control.get("/faults")).json()[0]["kind"] == "hang"


async def test_a_page_in_a_browser_cannot_set_faults_or_reach_us_by_another_name(control: httpx.AsyncClient) -> None:
    assert (await control.post("/faults", content="[]", headers={"content-type": "text/plain"})).status_code == 415
    assert (await control.get("/mails", headers={"host": "rebound.example"})).status_code == 400


@pytest.mark.parametrize("query", ["limit=x", "offset=-1", "limit=100000"])
async def test_a_page_out_of_bounds_is_refused(query: str, control: httpx.AsyncClient) -> None:
    assert (await control.get(f"/mails?{query}")).status_code == 422


async def test_stopping_frees_those_that_hang(simulator: SmtpSimulator, control: httpx.AsyncClient) -> None:
    await control.put("/faults", json=[{"kind": "hang", "stage": "data", "stored": False}])

    async with anyio.create_task_group() as group:
        group.start_soon(_expect_lost_connection, simulator)
        while not simulator.plan.read()[0]["taken"]:  # noqa: ASYNC110 - there is no event to wait for
            await anyio.sleep(0.01)
        await simulator.stop()
    assert simulator.count_connections() == 0


async def _expect_lost_connection(simulator: SmtpSimulator) -> None:
    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError, smtplib.SMTPDataError)):
        await _deliver(simulator, "1")
