"""The door: loopback, token, cookie, origin, CSRF, headers."""

from __future__ import annotations

import re
import secrets

import httpx
import pytest

from tests.support.pipeline import Pipeline
from tests.support.web import HTML, RunningWeb, post_form, read_csrf_token, serve_web
from tournee.kit.errors import SetupError
from tournee.web.access import check_bind
from tournee.web.server import bind_loopback

OPEN_TO_ALL = {"/healthz", "/readyz", "/enter", "/language/{code}"}
PAGES = ("/", "/newsletters", "/messages", "/jobs", "/dead", "/search?q=garden", "/board", "/nowhere")


@pytest.fixture
async def stranger(web: RunningWeb) -> httpx.AsyncClient:
    return web.open_client()


async def test_a_stranger_sees_a_page_that_says_how_to_come_in(stranger: httpx.AsyncClient) -> None:
    async with stranger:
        page = await stranger.get("/", headers=HTML)
    assert page.status_code == 403
    assert "Open the link that was printed when Tournée started" in page.text


async def test_a_program_without_token_is_told_to_bring_one(stranger: httpx.AsyncClient) -> None:
    async with stranger:
        answer = await stranger.get("/api/status")
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert "bearer" in answer.json()["error"]


async def test_every_route_is_closed_to_strangers_but_the_few_that_are_meant_to_be_open(
    web: RunningWeb, stranger: httpx.AsyncClient
) -> None:
    paths = {(method, path) for path, methods in list_routes(web).items() for method in methods}
    assert len(paths) > 25
    async with stranger:
        for method, path in sorted(paths):
            if path in OPEN_TO_ALL or path.startswith("/static"):
                continue
            answer = await stranger.request(method, re.sub(r"\{[^}]+\}", "1", path))
            assert answer.status_code in (401, 403), (method, path)


def list_routes(web: RunningWeb) -> dict[str, set[str]]:
    """Every path with its methods, as the application's own description and its pages name them."""
    found: dict[str, set[str]] = {}
    waiting = list(web.app.routes)
    while waiting:
        route = waiting.pop()
        waiting += getattr(getattr(route, "original_router", None), "routes", None) or []
        if path := getattr(route, "path", None):
            found.setdefault(path, set()).update(getattr(route, "methods", None) or {"GET"})
    return found


async def test_the_link_sets_a_strict_cookie_and_leaves_no_token_behind(
    web: RunningWeb, stranger: httpx.AsyncClient
) -> None:
    async with stranger:
        answer = await stranger.get("/enter", params={"token": web.token})
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        cookie = answer.headers["set-cookie"]
        assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
        assert web.token not in cookie
        assert (await stranger.get("/", headers=HTML)).status_code == 200


@pytest.mark.parametrize("token", ["", "x", "é" * 43, "A" * 43])
async def test_a_wrong_token_is_refused_on_a_clear_page(stranger: httpx.AsyncClient, token: str) -> None:
    async with stranger:
        page = await stranger.get("/enter", params={"token": token})
    assert page.status_code == 403
    assert "not the one of the running process" in page.text
    assert "set-cookie" not in page.headers


async def test_a_forged_cookie_opens_nothing(web: RunningWeb, browser: httpx.AsyncClient) -> None:
    name, value = next(iter(browser.cookies.items()))
    # The last character of a base64 text may hold bits that count for nothing, so the one before it is changed.
    for forged in (value[:-2] + ("A" if value[-2] != "A" else "B") + value[-1], "x", "", "é"):
        async with web.open_client(headers={"cookie": f"{name}={forged}".encode()}) as client:
            assert (await client.get("/", headers=HTML)).status_code == 403


async def test_a_restart_with_a_new_token_ends_all_sessions(web: RunningWeb, pipeline: Pipeline) -> None:
    async with web.enter() as client, serve_web(pipeline, ports=[web.server.port]) as restarted:
        name, value = next(iter(client.cookies.items()))
        headers = {"cookie": f"{name}={value}", "host": f"127.0.0.1:{web.server.port}", **HTML}
        async with restarted.open_client(headers=headers) as old:
            assert (await old.get("/")).status_code == 403


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "localhost.evil:{port}"]
)
async def test_a_foreign_host_header_gets_nothing(web: RunningWeb, browser: httpx.AsyncClient, host: str) -> None:
    for path in ("/", "/api/status", "/healthz", "/static/console.css", f"/enter?token={web.token}"):
        answer = await browser.get(path, headers={"host": host.format(port=web.server.port), **HTML})
        assert answer.status_code == 421, path


async def test_localhost_and_the_numeric_address_are_both_believed(web: RunningWeb, browser: httpx.AsyncClient) -> None:
    for host in ("localhost", "127.0.0.1", "[::1]"):
        answer = await browser.get("/", headers={"host": f"{host}:{web.server.port}", **HTML})
        assert answer.status_code == 200


async def test_a_post_from_another_site_changes_nothing(
    web: RunningWeb, browser: httpx.AsyncClient, pipeline: Pipeline
) -> None:
    token = await read_csrf_token(browser)
    for headers in (
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"origin": "null", "sec-fetch-site": "cross-site"},
        {"origin": "https://evil.example", "sec-fetch-site": "same-origin"},
        {},
    ):
        answer = await browser.post(
            "/queues/indexNews/pause", headers={**headers, "x-csrf-token": token, "accept": "text/html"}
        )
        assert answer.status_code == 403
        assert "another site" in answer.text
    assert not await pipeline.count("SELECT count(*) FROM engine.queues WHERE paused")


async def test_a_post_needs_the_csrf_token_of_its_own_session(
    web: RunningWeb, browser: httpx.AsyncClient, pipeline: Pipeline
) -> None:
    async with web.enter() as other:
        foreign = await read_csrf_token(other)
    for token in ("", "0" * 64, foreign, "é"):
        answer = await browser.post("/queues/indexNews/pause", headers={"origin": web.url}, data={"csrf_token": token})
        assert answer.status_code == 403
    answer = await browser.post("/queues/indexNews/pause", headers={"origin": web.url})
    assert answer.status_code == 403
    assert not await pipeline.count("SELECT count(*) FROM engine.queues WHERE paused")
    assert (await post_form(browser, "/queues/indexNews/pause")).status_code == 303
    assert await pipeline.count("SELECT count(*) FROM engine.queues WHERE paused") == 1


async def test_a_form_that_is_too_large_is_refused_before_it_is_read(
    web: RunningWeb, browser: httpx.AsyncClient
) -> None:
    answer = await browser.post(
        "/dead/redrive", headers={"origin": web.url, **HTML}, data={"csrf_token": "x", "reason": "y" * 100_000}
    )
    assert answer.status_code == 413


async def test_a_bearer_needs_no_csrf_token_and_a_wrong_one_is_refused(
    web: RunningWeb, program: httpx.AsyncClient
) -> None:
    assert (await program.post("/api/dead/redrive", json={"job_ids": [1]})).json() == {"job_ids": []}
    for header in (f"Bearer {secrets.token_urlsafe(32)}", "Bearer", f"Basic {web.token}", web.token):
        async with web.open_client(headers={"authorization": header}) as other:
            assert (await other.get("/api/status")).status_code == 401


async def test_a_wrong_bearer_is_not_saved_by_a_good_cookie(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/api/status", headers={"authorization": "Bearer wrong"})
    assert answer.status_code == 401


async def test_every_page_carries_the_security_headers_and_nothing_inline(browser: httpx.AsyncClient) -> None:
    for path in PAGES:
        page = await browser.get(path, headers=HTML)
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert page.headers["x-content-type-options"] == "nosniff"
        assert page.headers["referrer-policy"] == "no-referrer"
        assert page.headers["cache-control"] == "no-store"
        assert not re.findall(r"<script(?![^>]* src=)|<style|\sstyle=|\son[a-z]+=|javascript:", page.text), path
        assert not re.findall(r"(?:src|href|action)=\"(?:https?:)?//", page.text), path


async def test_static_files_need_no_session_and_can_be_kept(web: RunningWeb, stranger: httpx.AsyncClient) -> None:
    async with stranger:
        for name in ("console.css", "console.js", "mark.svg", "vendor/htmx.min.js", "vendor/hx-sse.min.js"):
            answer = await stranger.get(f"/static/{name}")
            assert answer.status_code == 200, name
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["cache-control"] == "no-cache"
            kept = await stranger.get(f"/static/{name}?v=1")
            assert "immutable" in kept.headers["cache-control"]
        assert (await stranger.get("/static/%2e%2e/%2e%2e/access.py")).status_code in (403, 404)


async def test_the_language_switch_goes_nowhere_else(browser: httpx.AsyncClient) -> None:
    for target in ("//evil.example", "https://evil.example", "/\\evil.example", "\\\\evil.example", "/\t/evil.example"):
        answer = await browser.get("/language/fr", params={"next": target})
        assert answer.headers["location"] == "/"


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.8.8.8"])
def test_loopback_may_be_listened_on(host: str) -> None:
    check_bind(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "", "example.org", "127.0.0.1.evil.example"])
def test_any_other_address_is_refused_with_what_to_do(host: str) -> None:
    with pytest.raises(SetupError, match="this machine only"):
        bind_loopback(host, 0)
