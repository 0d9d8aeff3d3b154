"""Which process tells that a store is down, and what alerting takes from the settings."""

from __future__ import annotations

import pytest

from tournee.bootstrap.alerting import _tells
from tournee.monitoring import Watch, read_alert_settings
from tournee.settings import Settings


@pytest.mark.parametrize(
    ("setting", "process", "supervised", "supervises", "tells"),
    [
        ("auto", "up", False, True, True),
        ("auto", "api", False, False, True),
        ("auto", "worker", False, False, False),
        ("auto", "api", True, False, False),
        ("yes", "worker", False, False, True),
        ("yes", "worker", True, False, False),
        ("no", "up", False, True, False),
        ("no", "api", False, False, False),
    ],
)
def test_one_process_tells_of_the_stores(
    setting: str, process: str, supervised: bool, supervises: bool, tells: bool
) -> None:
    settings = Settings.model_validate({"alert_stores": setting})
    assert _tells(settings, process, supervised=supervised, supervises=supervises) is tells


def test_429_is_watched_once_there_is_a_number() -> None:
    unwatched = read_alert_settings(Settings(), Watch("api"))
    watched = read_alert_settings(Settings(alert_rate_limits=7), Watch("api"))
    assert (unwatched.watches_rate_limits, watched.watches_rate_limits) == (False, True)
    assert watched.rate_limit_threshold == 7


def test_deaths_that_have_a_notice_are_mailed_by_it_where_there_are_administrators() -> None:
    assert read_alert_settings(Settings(), Watch("worker")).mailed_kinds == frozenset()
    settings = Settings(admin_emails=("ann@example.org",))
    assert "analyse-newsletter" in read_alert_settings(settings, Watch("worker")).mailed_kinds
