"""The id of a request, from header to log line and back."""

from __future__ import annotations

import re

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from tournee.kit.logs.correlation import correlate, read_correlation
from tournee.web.request_ids import RequestIds


async def _show(request: Request) -> Response:
    return PlainTextResponse(str(read_correlation().get("request")), headers={"X-Request-ID": "the application's own"})


async def _fail(request: Request) -> Response:
    raise ValueError("odd")


async def _answer_fault(request: Request, error: Exception) -> Response:
    return PlainTextResponse(str(read_correlation().get("request")), 500)


@pytest.fixture
def client() -> httpx.AsyncClient:
    application = Starlette(
        routes=[Route("/", _show), Route("/fail", _fail)], exception_handlers={Exception: _answer_fault}
    )
    transport = httpx.ASGITransport(RequestIds(application), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://console.example")


@pytest.fixture(autouse=True)
def _own_correlation() -> object:
    with correlate({}):
        yield


@pytest.mark.parametrize("given", ["abc", "0af7651916cd43dd-8448", "a.b:c_d", "x" * 64])
async def test_a_fit_id_is_taken_over_and_given_back(client: httpx.AsyncClient, given: str) -> None:
    answer = await client.get("/", headers={"X-Request-ID": given})
    assert (answer.text, answer.headers.get_list("x-request-id")) == (given, [given])


@pytest.mark.parametrize("given", ["", " ", "x" * 65, "a b", "-a", "é", "a\tb", '{"x":1}', "a;b", "<script>"])
async def test_an_unfit_id_is_replaced(client: httpx.AsyncClient, given: str) -> None:
    answer = await client.get("/", headers=[(b"X-Request-ID", given.encode())])
    assert re.fullmatch("[0-9a-f]{32}", answer.text)
    assert answer.headers["x-request-id"] == answer.text


async def test_two_ids_are_none(client: httpx.AsyncClient) -> None:
    answer = await client.get("/", headers=[("X-Request-ID", "one"), ("X-Request-ID", "two")])
    assert answer.text not in ("one", "two")


async def test_a_failure_bears_the_id_in_its_log_and_its_answer(client: httpx.AsyncClient) -> None:
    answer = await client.get("/fail", headers={"X-Request-ID": "abc"})
    assert (answer.status_code, answer.text, answer.headers["x-request-id"]) == (500, "abc", "abc")
