"""`tournee demo --once` does what the sample mailbox says it must, and the sandbox received the mails."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import run_command
from tournee_sandbox.mailbox import write_sample_mailbox

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ADMINISTRATOR = "admin@tournee.example"


async def test_the_demo_accounts_for_every_mail_and_tells_the_administrator_of_the_planted_failure(home: Path) -> None:
    done = await run_command("demo", "--once", home=home, seconds=600)
    assert done.code == 0, done.stderr[-3000:]
    summary = done.read_json()
    expected = write_sample_mailbox(home / "expected")
    assert {name: summary[name] for name in expected.expect_summary()} == dict(expected.expect_summary())
    received = read_received(home / "demo" / "sandbox" / "smtp")
    sent = expected.expect_mails_sent()
    to_admin = [mail for mail in received if ADMINISTRATOR in mail["recipients"]]
    assert len(to_admin) == sent["admin_notices"] == 1
    assert len(Counter(mail["message_id"] for mail in received)) == sent["count"]
    assert list(summary) == SUMMARY_FIELDS
    assert done.stdout.count("\n") == 1, "one line on stdout, all else on stderr"


SUMMARY_FIELDS = [
    "messages",
    "newsletters",
    "confirmations",
    "others",
    "unparsable",
    "analysed",
    "cache_hits",
    "invalid",
    "indexed",
    "notified",
    "duplicates",
    "not_mail",
    "failed",
    "dead",
    "lost",
    "seconds",
]


def read_received(folder: Path) -> list[dict[str, Any]]:
    """What the SMTP simulator kept: JSON lines."""
    lines = next(folder.glob("*.jsonl")).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]
