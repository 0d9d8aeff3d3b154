"""The URL of an SMTP server: what it may say, and that it never weakens a connection by a slip."""

from __future__ import annotations

import pytest

from tournee.integrations.smtp.server_url import SmtpServer, parse_smtp_url


def test_user_and_password_are_percent_decoded() -> None:
    server = parse_smtp_url("smtp://ada%40reader.example:p%40ss%2Fw%3A%25@mail.example:2525?starttls=required")
    assert (server.user, server.password) == ("ada@reader.example", "p@ss/w:%")
    assert (server.host, server.port, server.starttls) == ("mail.example", 2525, "required")


@pytest.mark.parametrize(
    ("url", "port"),
    [
        ("smtp://mail.example", 25),
        ("smtp://ada:x@mail.example", 587),
        ("smtps://mail.example", 465),
        ("smtps://ada:x@[::1]:4465/", 4465),
    ],
)
def test_the_port_follows_from_scheme_and_user(url: str, port: int) -> None:
    assert parse_smtp_url(url).port == port


def test_defaults_are_the_careful_ones() -> None:
    assert parse_smtp_url("smtp://mail.example") == SmtpServer("mail.example", 25, starttls="offered", verify=True)


@pytest.mark.parametrize(
    "url",
    [
        "http://mail.example",
        "mail.example:25",
        "smtp://",
        "smtp://:secret@",
        "smtp://mail.example:99999",
        "smtp://mail.example:port",
        "smtp://ada:se/secret@mail.example",
        "smtp://mail.example/path",
        "smtp://mail.example?starttls=yes",
        "smtp://mail.example?starttls=",
        "smtp://mail.example?start_tls=required",
        "smtp://mail.example?verify=false",
        "smtps://mail.example?starttls=never",
        "smtp://mail.example?ca=",
    ],
)
def test_what_cannot_be_meant_is_refused_without_telling_the_password(url: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_smtp_url(url)
    assert "secret" not in str(caught.value)


def test_the_password_shows_in_no_repr() -> None:
    assert "secret" not in repr(parse_smtp_url("smtp://ada:secret@mail.example"))
