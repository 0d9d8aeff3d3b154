"""`tournee import`, and what becomes of its dead jobs, on real servers."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.integration.bootstrap.conftest import Tournee
from tests.support.commands import run_command, start_command
from tests.support.waiting import wait_until
from tournee.bootstrap.stack_file import read_stack
from tournee_sandbox.faults import write_faults
from tournee_sandbox.mailbox import write_sample_mailbox

pytestmark = pytest.mark.timeout(900)


async def count_rows(url: str, statement: str) -> int:
    connection = await asyncpg.connect(url)
    try:
        return int(await connection.fetchval(statement))
    finally:
        await connection.close()


async def test_an_import_that_was_cut_short_is_finished_by_the_next_one_and_nothing_is_doubled(home: Path) -> None:
    sample = write_sample_mailbox(home / "sample").folder / "alice"
    async with start_command("import", str(sample), "--json", home=home / "h") as process:
        await wait_until(lambda: read_stack(home / "h") is not None, 240)
        stack = read_stack(home / "h")
        assert stack is not None
        await wait_for_mails(stack.database_url)
        process.send_signal(signal.SIGINT)
        stdout, stderr = await asyncio.wait_for(process.communicate(), 90)
    assert process.returncode == 130
    assert stdout == b""
    assert stderr.decode().splitlines()[-1] == "tournee: interrupted"
    again = await run_command("import", str(sample), "--json", home=home / "h")
    assert again.code == 0, again.stderr
    assert again.stdout.count("\n") == 1
    summary = again.read_json()
    assert (summary["messages"], summary["duplicates"], summary["not_mail"]) == (0, 35, 1)
    assert "IMG_2041.eml" in again.stderr
    status = (await run_command("status", "--json", home=home / "h")).read_json()
    assert all(queue["pending"] + queue["queued"] + queue["running"] == 0 for queue in status["queues"])
    queues = {queue["queue"]: queue["completed"] for queue in status["queues"]}
    assert queues["processMails"] == queues["indexNews"] == queues["sendNotifications"] > 0
    assert len(list((home / "h" / "outbox" / "new").iterdir())) == queues["sendNotifications"]
    assert status["mailboxes"][0]["messages"] == 34
    # Fewer where midnight came in between.
    assert status["cost"]["analyses"] >= status["cost"]["analyses_today"]
    assert status["cost"]["analyses"] > 0


async def test_commands_that_meet_on_a_fresh_home_share_its_servers_and_wait_for_each_other(home: Path) -> None:
    sample = write_sample_mailbox(home / "sample").folder
    first, second = next((sample / "alice").glob("006-*")), next((sample / "alice").glob("007-*"))
    answers = await asyncio.gather(
        run_command("import", str(first), "--mailbox", "first", "--json", home=home / "h"),
        run_command("import", str(second), "--mailbox", "second", "--json", home=home / "h"),
        run_command("status", "--json", home=home / "h"),
    )
    assert [answer.code for answer in answers] == [0, 0, 0], [answer.stderr for answer in answers]
    assert [answer.stdout.count("\n") for answer in answers] == [1, 1, 1]
    assert [answer.read_json()["messages"] for answer in answers[:2]] == [1, 1]
    assert not (home / "h" / "run" / "stack.json").exists()


async def test_two_imports_of_one_folder_at_once_account_for_all_and_notify_once(
    home: Path, database_url: str, redis_url: str
) -> None:
    sample = write_sample_mailbox(home / "sample").folder / "alice"
    folder = home / "few"
    folder.mkdir()
    for mail in sorted(sample.iterdir())[:12]:
        (folder / mail.name).write_bytes(mail.read_bytes())
    different = len({mail.read_bytes() for mail in folder.iterdir()})
    stores = {"TOURNEE_DATABASE_URL": database_url, "TOURNEE_REDIS_URL": redis_url}
    answers = await asyncio.gather(
        *(run_command("import", str(folder), "--json", home=home / "h", more=stores) for _ in range(2))
    )
    assert [answer.code for answer in answers] == [0, 0], [answer.stderr for answer in answers]
    summaries = [answer.read_json() for answer in answers]
    for summary in summaries:
        assert summary["messages"] + summary["duplicates"] == 12
        assert (summary["not_mail"], summary["lost"], summary["dead"]) == (0, 0, 0)
    # Each mail belongs to the one of the two that came to it first.
    assert sum(summary["messages"] for summary in summaries) == different
    newsletters = sum(summary["newsletters"] for summary in summaries)
    assert len(list((home / "h" / "outbox" / "new").iterdir())) == newsletters > 0
    assert await count_rows(database_url, "SELECT count(*) FROM news.messages") == different


async def wait_for_mails(url: str) -> None:
    """Until the import has staged its mails."""
    async with asyncio.timeout(240):
        while not await has_mails(url):  # noqa: ASYNC110 - another process sets no event of ours
            await asyncio.sleep(0.02)


async def has_mails(url: str) -> bool:
    """False also while there is no such table yet."""
    try:
        return await count_rows(url, "SELECT count(*) FROM news.staged_mails") > 0
    except (OSError, asyncpg.PostgresError):
        return False


@pytest.fixture
def planted(tmp_path: Path) -> tuple[Path, Path]:
    """A folder with the mailbox in which one newsletter's analysis fails, and the file that says so."""
    sample = write_sample_mailbox(tmp_path / "sample")
    faults = tmp_path / "faults.json"
    write_faults(faults, sample.failing_message_ids)
    failing = next(iter(sample.failing_message_ids)).strip("<>").encode()
    mail = next(path for path in (sample.folder / "alice").iterdir() if failing in path.read_bytes())
    folder = tmp_path / "few"
    folder.mkdir()
    (folder / "planted.eml").write_bytes(mail.read_bytes())
    (folder / "notes\x1b[31m.txt").write_text("no mail at all", encoding="utf-8")
    return folder, faults


def test_a_dead_letter_is_listed_shown_redriven_and_discarded_and_each_act_is_audited(
    tournee: Tournee, database_url: str, redis_url: str, planted: tuple[Path, Path], tmp_path: Path
) -> None:
    folder, faults = planted
    stores = {"database_url": database_url, "redis_url": redis_url}

    def ask(*words: str) -> Any:
        answer = tournee(*words, "--json", **stores)
        assert answer.code == 0, answer.stderr
        assert answer.stdout.count("\n") == 1
        return json.loads(answer.stdout)

    done = tournee("import", str(folder), "--json", **stores, sandbox_faults=str(faults), max_attempts="processMails=1")
    assert done.code == 0, done.stderr
    summary = json.loads(done.stdout)
    assert done.stdout.count("\n") == 1
    assert (summary["invalid"], summary["dead"], summary["failed"], summary["not_mail"]) == (1, 1, 1, 1)
    assert "1 file is no mail:" in done.stderr
    assert "\x1b" not in done.stderr
    check_filed(tmp_path / "home" / "logs" / "errors.log")

    [dead] = ask("dead", "list")["jobs"]
    assert (dead["queue"], dead["state"], dead["error_class"]) == ("processMails", "dead", "JSONDecodeError")
    assert ask("dead", "list", "--error", "unterminated")["jobs"] == [dead]
    assert ask("dead", "list", "--queue", "indexNews")["jobs"] == []
    assert ask("dead", "show", str(dead["id"]))["attempts"][0]["outcome"] == "failed"
    assert ask("jobs", "list", "--key", dead["key"], "--state", "dead")["jobs"][0]["id"] == dead["id"]
    assert ask("jobs", "list", "--error", "no such error")["jobs"] == []

    assert tournee("dead", "redrive", **stores).code == 2
    dry = ask("dead", "redrive", "--all", "--dry-run")
    assert (dry["matched"], dry["changed"], dry["job_ids"]) == (1, 0, [dead["id"]])
    assert ask("dead", "list")["jobs"] == [dead]
    assert ask("dead", "redrive", "--queue", "processMails", "--reason", "mended")["changed"] == 1
    assert ask("jobs", "show", str(dead["id"]))["state"] in ("pending", "queued")
    assert ask("jobs", "cancel", "--key", dead["key"][:-1] + "x")["changed"] == 0
    assert ask("jobs", "cancel", str(dead["id"]), "--reason", "enough")["changed"] == 1
    assert tournee("dead", "show", str(dead["id"]), **stores).code == 1
    assert ask("dead", "discard", "--all")["matched"] == 0
    assert read_audits(database_url) == [("redrive", "mended"), ("cancel", "enough")]


def check_filed(log: Path) -> None:
    """The dead job's line in the log has all that its reader needs."""
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    [line] = [line for line in lines if line["event"] == "job is dead"]
    assert (line["queue"], line["attempt"], line["of"], line["level"]) == ("processMails", 1, 1, "error")
    assert line["error_class"] == "JSONDecodeError"
    assert "Unterminated string" in line["error"]
    assert "Traceback" in line["stack"]
    assert line["job"] > 0
    assert line["key"]
    assert len(line["trace"]) == 32
    assert log.stat().st_mode & 0o777 == 0o600


def read_audits(url: str) -> list[tuple[str, str]]:
    async def read() -> list[tuple[str, str]]:
        connection = await asyncpg.connect(url)
        try:
            rows = await connection.fetch("SELECT action, reason FROM engine.audit_log ORDER BY id")
            return [(row["action"], row["reason"]) for row in rows]
        finally:
            await connection.close()

    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        return runner.run(read())
