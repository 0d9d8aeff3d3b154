"""The JSON API: the console's facts for programs, with one clear message for each refusal."""

from __future__ import annotations

import httpx
import pytest

from tests.support.pipeline import Pipeline
from tests.support.web import RunningWeb, find_message, read_csrf_token
from tests.support.web_fixtures import DOOMED


async def test_status_holds_both_sides_of_every_queue(worked: Pipeline, program: httpx.AsyncClient) -> None:
    status = (await program.get("/api/status")).json()
    queues = {row["queue"]: row for row in status["queues"]}
    assert list(queues) == ["fetchEmails", "processMails", "indexNews", "sendNotifications"]
    assert (queues["processMails"]["completed"], queues["processMails"]["dead"]) == (1, 1)
    assert queues["processMails"]["drift"] == 0
    assert queues["processMails"]["redis"]["failed"] == 1
    assert (status["database"], status["redis"], status["dead_letters"]) == ("up", "up", 1)
    assert [worker["alive"] for worker in status["workers"]] == [True]
    assert status["totals"]["classes"] == {"newsletter": 2}


async def test_jobs_can_be_listed_narrowed_and_shown(worked: Pipeline, program: httpx.AsyncClient) -> None:
    [dead] = (await program.get("/api/jobs", params={"state": "dead"})).json()
    assert (dead["queue"], dead["attempt"], dead["error"]) == ("processMails", 3, "the answer has no summary")
    job = (await program.get(f"/api/jobs/{dead['id']}")).json()
    assert [attempt["outcome"] for attempt in job["attempts"]] == ["failed"] * 3
    assert "Rejected" in job["attempts"][0]["stack"]
    assert job["payload"]["newsletter_id"] == job["newsletter_id"] == await find_message(worked, DOOMED)
    ids = [row["id"] for row in (await program.get("/api/jobs", params={"limit": 3})).json()]
    older = (await program.get("/api/jobs", params={"limit": 3, "before": ids[-1]})).json()
    assert ids == sorted(ids, reverse=True)
    assert max(row["id"] for row in older) < ids[-1]


async def test_a_dead_job_can_be_redriven_and_discarded(worked: Pipeline, program: httpx.AsyncClient) -> None:
    [letter] = (await program.get("/api/dead")).json()
    assert letter["subject"] == DOOMED
    answer = await program.post("/api/dead/redrive", json={"job_ids": [letter["id"], 10**9], "reason": "again"})
    assert answer.json() == {"job_ids": [letter["id"]]}

    async def is_dead_again() -> bool:
        return bool((await program.get("/api/dead")).json())

    await worked.wait_until(is_dead_again)
    answer = await program.post("/api/dead/discard", json={"job_ids": [letter["id"]]})
    assert answer.json() == {"job_ids": [letter["id"]]}
    job = (await program.get(f"/api/jobs/{letter['id']}")).json()
    assert job["state"] == "cancelled"
    assert {act["actor"] for act in job["audits"]} == {"api"}
    assert "again" in {act["reason"] for act in job["audits"]}


async def test_cancelling_what_is_done_cancels_nothing(worked: Pipeline, program: httpx.AsyncClient) -> None:
    done = await worked.count("SELECT id FROM engine.jobs WHERE state = 'completed' LIMIT 1")
    assert (await program.post("/api/jobs/cancel", json={"job_ids": [done]})).json() == {"job_ids": []}


async def test_newsletters_and_search_answer_what_a_reader_would_find(
    worked: Pipeline, program: httpx.AsyncClient
) -> None:
    rows = (await program.get("/api/newsletters")).json()
    assert {row["subject"]: row["state"] for row in rows} == {"Spring garden news": "indexed", DOOMED: "invalid"}
    found = (await program.get("/api/search", params={"q": "garden"})).json()
    assert (found["total"], [hit["title"] for hit in found["hits"]]) == (1, ["Spring garden news"])


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/api/jobs?limit=0", "limit"), ("/api/jobs?state=odd", "state"), ("/api/jobs/x", "job_id"),
        ("/api/jobs/99999999999999999999", "job_id"), ("/api/search?offset=-1", "offset"),
        ("/api/newsletters?state=odd", "state"), ("/api/dead?died=yesterday", "died"),
    ],
)  # fmt: skip
async def test_a_wrong_parameter_is_one_clear_message(program: httpx.AsyncClient, path: str, field: str) -> None:
    answer = await program.get(path)
    assert answer.status_code == 422
    assert list(answer.json()) == ["error"]
    assert answer.json()["error"].startswith(f"{field}: ")
    assert "\n" not in answer.json()["error"]


@pytest.mark.parametrize(
    "body", [{}, {"job_ids": []}, {"job_ids": ["x"]}, {"job_ids": [1], "more": 1}, {"job_ids": [2**70]}]
)
async def test_a_wrong_body_is_one_clear_message(program: httpx.AsyncClient, body: object) -> None:
    answer = await program.post("/api/dead/redrive", json=body)
    assert answer.status_code == 422
    assert isinstance(answer.json()["error"], str)


async def test_what_does_not_exist_is_said_in_json(program: httpx.AsyncClient) -> None:
    assert (await program.get("/api/jobs/999")).json() == {"error": "There is no job 999."}
    assert (await program.get("/api/nothing")).json() == {"error": "Not Found"}
    assert (await program.delete("/api/jobs/999")).status_code == 405


async def test_a_browsers_session_may_read_the_api_and_needs_its_csrf_token_to_change_anything(
    web: RunningWeb, browser: httpx.AsyncClient
) -> None:
    assert (await browser.get("/api/status")).status_code == 200
    body = {"job_ids": [1]}
    assert (await browser.post("/api/dead/redrive", json=body, headers={"origin": web.url})).status_code == 403
    token = await read_csrf_token(browser)
    headers = {"origin": web.url, "x-csrf-token": token}
    assert (await browser.post("/api/dead/redrive", json=body, headers=headers)).status_code == 200


async def test_the_api_describes_itself(program: httpx.AsyncClient) -> None:
    described = (await program.get("/api/openapi.json")).json()
    assert {"/api/status", "/api/jobs/{job_id}", "/api/dead/redrive", "/api/search", "/readyz"} <= set(
        described["paths"]
    )
    assert all(path.startswith("/api/") or path in ("/healthz", "/readyz") for path in described["paths"])
    assert "Problem" in described["components"]["schemas"]
