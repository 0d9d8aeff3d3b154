"""What never reaches a log: secrets and addresses, however they are wrapped; and how long looking for them may take."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import SecretStr

from tournee.kit.logs.captured_error import capture_error
from tournee.kit.logs.entry import Entry
from tournee.kit.logs.redaction import LONGEST_TEXT, is_secret_key, redact_text, redact_value

SECRET = "s3cr3t-Zq9"

HOSTILE = [
    f"postgresql://tournee:{SECRET}@127.0.0.1:5432/tournee",
    f"connect to redis://:{SECRET}@cache:6379/0 failed",
    f"smtp://ada@example.com:{SECRET}@mail.example:587",
    f"amqp://u:pa/ss@{SECRET}@host/",
    f"POST https://discord.com/api/webhooks/1049100000000000000/{SECRET}_abc?wait=true",
    f"https://discord.com/api/v10/webhooks/1/{SECRET}",
    f"https://hooks.slack.com/services/T0/B0/{SECRET.replace('-', '')}",
    f"Authorization: Bearer {SECRET}",
    f"authorization=Basic {SECRET}=",
    f"{{'Authorization': 'Bearer {SECRET}', 'x': 1}}",
    f"(b'authorization', b'Bearer {SECRET}')",
    f"[('x-api-key', '{SECRET}')]",
    f"curl -H 'X-Api-Key: {SECRET}'",
    f"Cookie: session={SECRET}; theme=dark; other={SECRET}",
    f"Set-Cookie: session={SECRET}; HttpOnly",
    f'{{"refresh_token": "{SECRET}", "expires": 3}}',
    f'{{\\"access_token\\":\\"{SECRET}\\"}}',
    f"client_secret={SECRET}&grant_type=refresh_token",
    f"password = {SECRET}",
    f"PASSWORD: '{SECRET} with spaces'",
    f"passwd:{SECRET}",
    f"GET /callback?code={SECRET}&state={SECRET}",
    f"GET https://console.example/enter?token={SECRET}",
    f"https://bucket.example/x?X-Amz-Signature={SECRET}&y=1",
    f"api_key={SECRET}",
    f"apiKey: {SECRET}",
    f"MISTRAL_API_KEY={SECRET}",
    f"Settings(smtp_password='{SECRET}')",
    f"secret whsec_{SECRET}aaaaaaaa was rotated",
    f"ya29.{SECRET}-aaaaaaaa",
    f"sk-{SECRET}aaaaaaaaaaa",
    f"ghp_{SECRET}aaaaaaaaaa",
    f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.{SECRET}",
    f"-----BEGIN RSA PRIVATE KEY-----\nMIIE{SECRET}\nabc\n-----END RSA PRIVATE KEY-----",
    f"-----BEGIN PRIVATE KEY-----\nMIIE{SECRET}\nthe rest was cut",
    f"1//0{SECRET}-abcdefghijklmnopqrstuv",
    f"SMTP 535: AUTH PLAIN {SECRET.replace('-', '')}=",
    f"https:\\/\\/discord.com\\/api\\/webhooks\\/123456789\\/{SECRET}",
    f"redirect=https%3A%2F%2Fdiscord.com%2Fapi%2Fwebhooks%2F123456789%2F{SECRET}",
    f"bearer: {SECRET}",
    f"bearer={SECRET}",
    f"redirect_uri=https%3A%2F%2Fa.example%3Faccess_token%3D{SECRET}",
    f"backup --db-password {SECRET} failed",
    f"pass\u200bword={SECRET}",
    f"Bea\u00adrer {SECRET}",
    f"the API key {SECRET.replace('-', '')}AbCdEfGhIjKlMnOpQrStUvWx is not valid",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_secret_in_a_text_is_hidden(text: str) -> None:
    assert SECRET.lower() not in redact_text(text).lower()
    assert SECRET.replace("-", "").lower() not in redact_text(text).lower()


@pytest.mark.parametrize(
    "text",
    [
        "ada@example.com",
        "mail to <ada.lovelace+news@mail.example.co.uk> bounced",
        'user "ada@example.com", user (bob@example.com)',
        "ada@example.com,bob@example.com;ada@localhost",
        "zoë.müller@exämple.de",
        "RCPT TO:<ada@[192.0.2.1]>",
        "mailto:ada@example.com?subject=x",
        "GET https://mail.example.net/users/ada.lovelace%40example.com/messages",
        "ada.lovelace=40example.com",
        "<p>ada.lovelace&#64;example.com</p>",
        "ada&#x40;example.com",
        r"{'from': 'ada\u0040example.com'}",
        "ada＠example.com",
        '"ada lovelace"@example.com',
        "ada\u200b.lovelace@exa\u200bmple.com",
    ],
)
def test_an_address_in_a_text_is_hidden(text: str) -> None:
    hidden = redact_text(text)
    assert not any(name in hidden for name in ("ada", "bob", "zoë", "lovelace", "example.com"))


@pytest.mark.parametrize(
    "text",
    [
        "queue processMails: job 17 with key ada:42 failed at attempt 2 of 3",
        "tokens: 512, max_tokens=1024, prompt_tokens: 300",
        "JSONDecodeError: Expecting value: line 1 column 1 (char 0)",
        'File "/srv/tournee/engine/worker/executor.py", line 12, in run',
        "trace 0af7651916cd43dd8448eb211c80319c",
        "https://docs.example/how-to?page=2#top",
        "a basic mistake, bearing no token",
        "the bearers are unknown; width=40px, size=4012, timeout=40.5, 3 webhooks",
        "node_modules/@bull-board/api at version 9.10",
        "redis://127.0.0.1:6379/0 does not answer",
    ],
)
def test_what_an_operator_needs_stays(text: str) -> None:
    assert redact_text(text) == text


def test_a_value_under_a_secret_name_is_hidden_however_deep_it_lies() -> None:
    nested: dict[str, Any] = {
        "headers": [("Authorization", SECRET), (b"cookie", SECRET.encode()), ("accept", "text/html")],
        "config": {"smtp": {"Password": SECRET, "user": "ada@example.com"}, "tokens": 17, "token": 4711},
        "list": [{"API-Key": [SECRET]}, {"x": ({"client_secret": SECRET},)}],
        "bytes": f"password={SECRET}".encode(),
        "settings": SecretStr(SECRET),
        "error": ValueError(f"token={SECRET}"),
        "absent_token": None,
    }
    hidden = redact_value(nested)
    assert SECRET not in repr(hidden)
    assert "ada@" not in repr(hidden)
    assert (hidden["config"]["tokens"], hidden["config"]["token"]) == (17, "[redacted]")
    assert (hidden["headers"][2], hidden["absent_token"]) == (["accept", "text/html"], None)


def test_names_that_are_no_secrets_stay() -> None:
    for name in ("key", "tokens", "max_tokens", "job", "author", "monkey", "queue_key", "assets"):
        assert not is_secret_key(name), name
    for name in ("token", "refreshToken", "X-API-KEY", "db.password", "webhook_secret", "private key", "Set-Cookie"):
        assert is_secret_key(name), name


def test_an_exception_and_what_caused_it_are_redacted() -> None:
    try:
        try:
            raise ConnectionError(f"postgresql://u:{SECRET}@db/x")
        except ConnectionError as error:
            raise RuntimeError(f"for ada@example.com with password={SECRET}") from error
    except RuntimeError as error:
        event = Entry(
            0, 40, "test", {"event": f"token={SECRET}"}, {"to": "ada@x.example"}, capture_error(error)
        ).render()
    assert SECRET not in repr(event)
    assert "ada" not in repr(event)
    assert "direct cause" in event["exception"]
    assert "test_an_exception_and_what_caused_it_are_redacted" in event["exception"]


def test_half_a_secret_does_not_survive_the_cut_of_a_long_text() -> None:
    for before in range(LONGEST_TEXT // 2 - 60, LONGEST_TEXT // 2 + 10, 7):
        start = "x" * before + f" postgresql://user:{SECRET}@host/db "
        assert SECRET[:6] not in redact_text(start + "y " * LONGEST_TEXT)
    for after in range(LONGEST_TEXT // 2 - 60, LONGEST_TEXT // 2 + 10, 7):
        end = f" password={SECRET}{SECRET} " + "z" * after
        assert SECRET[-6:] not in redact_text("y " * LONGEST_TEXT + end)


def test_things_that_can_not_be_shown_do_not_stop_a_line() -> None:
    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError

    class BrokenError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    itself: list[Any] = []
    itself.append(itself)
    shown = redact_value({"broken": Broken(), "error": BrokenError(), "itself": itself, 3: "a number as a name"})
    assert "could not be shown" in shown["broken"]
    assert "could not be shown" in shown["error"]
    assert shown["3"] == "a number as a name"
    assert "could not be shown" in capture_error(BrokenError()).format()


def test_a_group_a_loop_of_causes_and_a_deep_recursion_are_bounded() -> None:
    def fall(depth: int) -> None:
        if depth:
            fall(depth - 1)
        raise ValueError("deep")

    with pytest.raises(ValueError, match="deep") as caught:
        fall(300)
    text = capture_error(caught.value).format()
    assert "more frames" in text
    assert len(text) < 20_000
    one, two = ValueError("one"), ValueError("two")
    one.__cause__, two.__cause__ = two, one
    assert capture_error(one).format().count("ValueError: one") <= 8
    group = ExceptionGroup("several", [ValueError(str(number)) for number in range(50)])
    assert capture_error(group).format().count("of the group") == 5


@pytest.mark.parametrize(
    "build",
    [
        lambda size: "a" * size,
        lambda size: "@" * size,
        lambda size: "a@" * (size // 2),
        lambda size: "a.b@" * (size // 4),
        lambda size: "://" * (size // 3),
        lambda size: "password" * (size // 8),
        lambda size: "password=" * (size // 9),
        lambda size: "token token " * (size // 12),
        lambda size: "eyJ" * (size // 3),
        lambda size: "eyJaaaaaaaa." * (size // 12),
        lambda size: "-----BEGIN PRIVATE KEY-----" * (size // 27),
        lambda size: "authorization:" * (size // 14),
        lambda size: "cookie " * (size // 7),
        lambda size: "basic aaaaaa" * (size // 12),
        lambda size: "http://a:" * (size // 9),
        lambda size: "\"'" * (size // 2),
        lambda size: " " * size,
        lambda size: "?key" * (size // 4),
    ],
)
def test_the_time_grows_with_the_length_only(build: Callable[[int], str]) -> None:
    """Measured as processor time of the same text at two lengths: quadratic work would take sixteen times as long."""
    small, large = build(LONGEST_TEXT // 4 - 50), build(LONGEST_TEXT - 50)

    def measure(text: str) -> float:
        times = []
        for _ in range(5):
            began = time.thread_time()
            redact_text(text)
            times.append(time.thread_time() - began)
        return min(times)

    assert measure(large) < 10 * measure(small) + 0.01
