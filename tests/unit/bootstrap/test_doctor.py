"""Who hears of failures, as the doctor says it."""

from __future__ import annotations

import pytest

from tournee.bootstrap.doctor import _check_alerts
from tournee.reports import Verdict
from tournee.settings import Settings

HOOK = "https://discord.com/api/webhooks/1/secret"


@pytest.mark.parametrize(
    ("given", "verdict", "detail", "remedy"),
    [
        ({}, Verdict.WARNING, "nobody is told", "set TOURNEE_DISCORD_WEBHOOK_URL and TOURNEE_ADMIN_EMAILS"),
        ({"discord_webhook_url": HOOK}, Verdict.WARNING, "Discord only", "set TOURNEE_ADMIN_EMAILS"),
        ({"admin_emails": "a@b.c"}, Verdict.WARNING, "e-mail to 1 only", "set TOURNEE_DISCORD_WEBHOOK_URL"),
        ({"discord_webhook_url": HOOK, "admin_emails": "a@b.c"}, Verdict.OK, "Discord and e-mail to 1", ""),
        ({"env": "development"}, Verdict.OK, "nobody is told", "set TOURNEE_DISCORD_WEBHOOK_URL"),
    ],
)
def test_in_production_somebody_has_to_hear_of_failures(
    given: dict[str, object], verdict: Verdict, detail: str, remedy: str
) -> None:
    finding = _check_alerts(Settings(**{"env": "production", **given}))  # type: ignore[arg-type]
    assert finding.verdict is verdict
    assert finding.detail.startswith(detail)
    assert (finding.remedy or "").startswith(remedy)
    assert "secret" not in str(finding)
