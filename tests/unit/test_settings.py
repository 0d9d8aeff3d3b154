"""Settings: defaults, bad values told one by one, secrets never shown."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tournee.settings import DEFAULT_CONCURRENCY, Settings, SettingsError, find_unknown_variables, load_settings


@pytest.fixture(autouse=True)
def without_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("TOURNEE_"):
            monkeypatch.delenv(name)


def test_the_defaults_need_no_variable() -> None:
    settings = load_settings()
    assert (settings.web_port, settings.board_port, settings.prefix) == (8420, 8421, "bull")
    assert (settings.database_url, settings.redis_url, settings.smtp_url) == (None, None, None)
    assert settings.logs == settings.home / "logs"


def test_the_home_of_root_is_one_that_nobody_can_enter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert load_settings().home == Path("/var/lib/tournee")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert load_settings().home == Path.home() / ".local" / "share" / "tournee"


BAD = {
    "ENV": ("staging", "development or production"),
    "WEB_PORT": ("0", "a port from 1 to 65535"),
    "WEB_HOST": ("0.0.0.0", "a loopback address"),
    "CONCURRENCY": ("mails=3", "pairs like"),
    "MAX_ATTEMPTS": ("fetchEmails=0", "pairs like"),
    "LEASE_SECONDS": ("soon", "seconds from 0.5"),
    "PREFIX": ("a b", "at most 64 letters"),
    "ADMIN_EMAILS": ("nobody", "e-mail addresses"),
    "LANGUAGE": ("de", "en or fr"),
    "DATABASE_POOLER": ("odyssey", "none or pgbouncer"),
}


@pytest.mark.parametrize(("name", "value", "allowed"), [(name, *pair) for name, pair in BAD.items()], ids=BAD.keys())
def test_a_bad_value_is_told_with_name_value_and_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, allowed: str
) -> None:
    monkeypatch.setenv(f"TOURNEE_{name}", value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert str(caught.value).startswith(f"TOURNEE_{name}: given '{value}'; allowed: {allowed}")
    assert len(str(caught.value).splitlines()) == 1


def test_several_bad_values_are_told_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOURNEE_WEB_PORT", "x")
    monkeypatch.setenv("TOURNEE_ENV", "x")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert len(str(caught.value).splitlines()) == 2


def test_a_lease_shorter_than_four_heartbeats_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOURNEE_LEASE_SECONDS", "1")
    with pytest.raises(SettingsError, match=r"TOURNEE_LEASE_SECONDS: given 1 .* at least four heartbeats"):
        load_settings()


@pytest.mark.parametrize("name", ["DATABASE_URL", "REDIS_URL", "SMTP_URL"])
def test_a_secret_is_shown_neither_in_a_setting_nor_in_a_complaint(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    scheme = {"DATABASE_URL": "postgresql", "REDIS_URL": "redis", "SMTP_URL": "smtp"}[name]
    monkeypatch.setenv(f"TOURNEE_{name}", f"{scheme}://user:s3cret@localhost/1")
    assert "s3cret" not in repr(load_settings())
    monkeypatch.setenv(f"TOURNEE_{name}", "ftp://user:s3cret@localhost/1")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert "s3cret" not in str(caught.value)
    assert str(caught.value).startswith(f"TOURNEE_{name}: given ftp://")


def test_numbers_per_queue_keep_the_defaults_of_queues_that_are_not_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOURNEE_CONCURRENCY", "fetchEmails=9, indexNews=1")
    assert load_settings().concurrency == {**DEFAULT_CONCURRENCY, "fetchEmails": 9, "indexNews": 1}


def test_what_the_line_gives_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TOURNEE_HOME", "/elsewhere")
    assert load_settings(home=tmp_path, sandbox_faults=None).home == tmp_path


def test_an_empty_variable_is_no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOURNEE_REDIS_URL", "")
    assert load_settings().redis_url is None


def test_settings_cannot_be_changed() -> None:
    settings = load_settings()
    with pytest.raises(ValueError, match="frozen"):
        setattr(settings, "web_port", 1)  # noqa: B010 - mypy would refuse the plain assignment


def test_every_setting_says_what_it_allows() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_a_variable_that_nothing_reads_is_told_with_the_name_that_was_meant() -> None:
    lines = find_unknown_variables({"TOURNEE_DATABSE_URL": "x", "TOURNEE_CORPUS": "x", "PATH": "x"})
    assert lines == ["TOURNEE_DATABSE_URL is read by nothing; was TOURNEE_DATABASE_URL meant?"]
