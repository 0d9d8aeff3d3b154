"""Commands through PgBouncer: one that was told of works, one that was not is told with the way out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.bootstrap.conftest import Answer, Tournee
from tests.support.bouncer import Bouncer, run_bouncer
from tests.support.folders import open_folder

pytestmark = pytest.mark.external

WAY_OUT = "set TOURNEE_DATABASE_POOLER=pgbouncer"


def read_finding(answer: Answer) -> dict[str, str]:
    [finding] = [found for found in json.loads(answer.stdout)["findings"] if found["check"] == "postgresql"]
    return dict(finding)


def test_a_pgbouncer_that_nobody_told_of_is_refused_with_the_way_out(
    tournee: Tournee, database_url: str, redis_url: str, bouncer: Bouncer
) -> None:
    url = bouncer.redirect(database_url)
    examined = tournee("doctor", "--json", database_url=url, redis_url=redis_url)
    assert examined.code == 3
    finding = read_finding(examined)
    assert WAY_OUT in finding["remedy"]
    assert "startup parameter" in finding["detail"]
    answer = tournee("worker", database_url=url, redis_url=redis_url)
    assert (answer.code, len(answer.stderr.splitlines())) == (3, 1)
    assert WAY_OUT in answer.stderr


def test_a_pgbouncer_that_drops_the_parameters_is_refused_as_well(
    tournee: Tournee, database_url: str, redis_url: str, pgbouncer: Path
) -> None:
    bounds = "lock_timeout, idle_in_transaction_session_timeout, tcp_user_timeout, client_connection_check_interval"
    dropped = f"{bounds}, jit, enable_seqscan"
    with (
        open_folder("tournee-bouncer") as folder,
        run_bouncer(folder / "own", pgbouncer, database_url, f"ignore_startup_parameters = {dropped}") as careless,
    ):
        url = careless.redirect(database_url)
        finding = read_finding(tournee("doctor", "--json", database_url=url, redis_url=redis_url))
        assert WAY_OUT in finding["remedy"]
        told = tournee("doctor", "--json", database_url=url, redis_url=redis_url, database_pooler="pgbouncer")
        assert read_finding(told)["verdict"] == "ok"


def test_commands_work_through_a_pgbouncer_that_they_are_told_of(
    tournee: Tournee, empty_database_url: str, redis_url: str, bouncer: Bouncer, tmp_path: Path
) -> None:
    where = {
        "database_url": bouncer.redirect(empty_database_url),
        "redis_url": redis_url,
        "database_pooler": "pgbouncer",
    }
    (tmp_path / "mail").mkdir()
    (tmp_path / "mail" / "one.eml").write_text(
        "From: a@example.org\nTo: b@example.org\nSubject: Lighthouse\nMessage-ID: <one@example.org>\n"
        "List-Id: <news.example.org>\nContent-Type: text/plain\n\nThe lighthouse keeper retires.\n",
        encoding="ascii",
    )
    assert tournee("migrate", **where).code == 0
    imported = tournee("import", str(tmp_path / "mail"), "--json", **where)
    assert imported.code == 0, imported.stderr
    assert json.loads(imported.stdout)["dead"] == 0
    for words in ("status --json", "jobs list", "search lighthouse", "reconcile"):
        answer = tournee(*words.split(), **where)
        assert answer.code == 0, answer.stderr
    finding = read_finding(tournee("doctor", "--json", **where))
    assert finding["detail"].startswith("reachable through PgBouncer")
