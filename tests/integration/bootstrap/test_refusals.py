"""What is missing or wrong outside the program ends a command with 3 and one line that says what to do."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
import redis

from tests.integration.bootstrap.conftest import Answer, Tournee
from tests.support.disguise import disguise_server
from tournee.bootstrap.schema import REVISIONS
from tournee.kit.ports import find_free_port


def require_refusal(answer: Answer, *words: str) -> None:
    assert answer.code == 3, answer.stderr
    assert answer.stdout == ""
    assert len(answer.stderr.splitlines()) == 1, answer.stderr
    assert answer.stderr.startswith("tournee: ")
    for word in words:
        assert word in answer.stderr


@pytest.mark.parametrize(
    "url",
    [
        "news",
        "mysql://a/b",
        "postgresql://",
        "postgresql:///news",
        "postgresql://[::1/news",
        "postgresql://a:secret@h:99999/x",
        "postgresql://h:port/x",
    ],
)
def test_an_address_that_is_none_is_told_without_its_password(tournee: Tournee, url: str) -> None:
    answer = tournee("status", database_url=url, redis_url="redis://127.0.0.1:1/0")
    require_refusal(answer, "TOURNEE_DATABASE_URL", "allowed: postgresql://user:password@host:port/database")
    assert "secret" not in answer.stderr


@pytest.mark.parametrize(
    ("given", "missing"), [("database_url", "TOURNEE_REDIS_URL"), ("redis_url", "TOURNEE_DATABASE_URL")]
)
def test_one_address_without_the_other_is_refused(tournee: Tournee, given: str, missing: str) -> None:
    url = "postgresql://127.0.0.1:1/x" if given == "database_url" else "redis://127.0.0.1:1/0"
    require_refusal(tournee("status", **{given: url}), f"and {missing} is not: set both")


def test_a_database_that_is_away_is_told_with_its_place(tournee: Tournee, redis_url: str) -> None:
    url = f"postgresql://a:b@127.0.0.1:{find_free_port()}/x"
    for command in ("status", "migrate", "worker", "up"):
        require_refusal(tournee(command, database_url=url, redis_url=redis_url), "can't be reached", "start it")


def test_a_wrong_password_and_a_missing_database_are_told_as_such(
    tournee: Tournee, database_url: str, redis_url: str
) -> None:
    parts = urlsplit(database_url)
    wrong = urlunsplit(parts._replace(netloc=f"{parts.username}:wrong@{parts.hostname}:{parts.port}"))
    require_refusal(tournee("status", database_url=wrong, redis_url=redis_url), "refuses user", "password in")
    missing = urlunsplit(parts._replace(path="/nowhere"))
    require_refusal(tournee("status", database_url=missing, redis_url=redis_url), "has no database 'nowhere'")


def test_a_database_that_was_never_migrated_names_the_command(
    tournee: Tournee, empty_database_url: str, redis_url: str
) -> None:
    for command in ("status", "jobs list", "dead list", "schedules list", "reconcile", "worker", "api", "search x"):
        answer = tournee(*command.split(), database_url=empty_database_url, redis_url=redis_url)
        require_refusal(answer, "was never migrated: run `tournee migrate`")
    assert tournee("migrate", database_url=empty_database_url, redis_url=redis_url).code == 0
    assert tournee("status", database_url=empty_database_url, redis_url=redis_url).code == 0


def test_another_schema_is_to_be_migrated_if_it_is_older_and_left_alone_if_newer(
    tournee: Tournee, database_url: str, redis_url: str
) -> None:
    set_revision(database_url, REVISIONS[0])
    require_refusal(tournee("worker", database_url=database_url, redis_url=redis_url), "older", "`tournee migrate`")
    set_revision(database_url, "9999_later")
    for command in ("status", "worker", "api", "up", "migrate"):
        answer = tournee(command, database_url=database_url, redis_url=redis_url)
        require_refusal(answer, "unknown to this version", "run the newer version")


def test_a_postgresql_that_is_too_old_is_told_before_anything_is_written(
    tournee: Tournee, empty_database_url: str, redis_url: str
) -> None:
    parts = urlsplit(empty_database_url)
    assert parts.port is not None
    with disguise_server(parts.port, {rb"server_version\0\d\d": b"server_version\x0014"}) as port:
        old = urlunsplit(parts._replace(netloc=f"{parts.username}:{parts.password}@{parts.hostname}:{port}"))
        for command in ("migrate", "import .", "status", "jobs list", "worker", "api", "up"):
            answer = tournee(*command.split(), database_url=old, redis_url=redis_url)
            require_refusal(answer, "is too old (it is PostgreSQL 14): install version 15 or later")
        answer = tournee("doctor", database_url=old, redis_url=redis_url)
        assert (answer.code, "install version 15" in " ".join(answer.stdout.split())) == (3, True)
    answer = tournee("status", database_url=empty_database_url, redis_url=redis_url)
    require_refusal(answer, "was never migrated")


def test_a_redis_that_is_too_old_is_told(tournee: Tournee, database_url: str, redis_url: str) -> None:
    parts = urlsplit(redis_url)
    assert parts.port is not None
    changes = {rb"valkey_version:": b"no_such_thing_:", rb"redis_version:\d": b"redis_version:5"}
    with disguise_server(parts.port, changes) as port:
        old = urlunsplit(parts._replace(netloc=f"{parts.netloc.rpartition(':')[0]}:{port}"))
        for command in ("worker", "api", "up", "reconcile", "import ."):
            answer = tournee(*command.split(), database_url=database_url, redis_url=old)
            require_refusal(answer, "is too old: Install 6.2 or later")


def set_revision(url: str, revision: str) -> None:
    async def update() -> None:
        connection = await asyncpg.connect(url)
        await connection.execute("UPDATE alembic_version SET version_num = $1", revision)
        await connection.close()

    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        runner.run(update())


def test_what_only_reads_the_ledger_answers_while_redis_is_away(tournee: Tournee, database_url: str) -> None:
    away = f"redis://127.0.0.1:{find_free_port()}/0"
    for command in ("status --json", "jobs list", "dead list", "search x"):
        assert tournee(*command.split(), database_url=database_url, redis_url=away).code == 0


def test_what_needs_redis_says_where_it_is_missing(tournee: Tournee, database_url: str, tmp_path: Path) -> None:
    port = find_free_port()
    for words in (["worker"], ["up"], ["reconcile"], ["import", str(tmp_path)]):
        answer = tournee(*words, database_url=database_url, redis_url=f"redis://127.0.0.1:{port}/0")
        require_refusal(answer, f"Redis at 127.0.0.1:{port} can't be reached (Connection refused): start it")


def test_a_wrong_password_of_redis_is_told_as_such(tournee: Tournee, database_url: str, redis_url: str) -> None:
    parts = urlsplit(redis_url)
    wrong = urlunsplit(parts._replace(netloc=f":wrong@{parts.hostname}:{parts.port}"))
    require_refusal(tournee("worker", database_url=database_url, redis_url=wrong), "password")


@pytest.fixture
def evicting_redis_url(redis_url: str) -> Iterator[str]:
    with redis.Redis.from_url(redis_url) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        yield redis_url
        client.config_set("maxmemory-policy", "noeviction")


def test_a_redis_that_evicts_is_no_dispatcher(tournee: Tournee, database_url: str, evicting_redis_url: str) -> None:
    for command in ("worker", "api", "up", "reconcile"):
        answer = tournee(command, database_url=database_url, redis_url=evicting_redis_url)
        require_refusal(answer, "allkeys-lru", "noeviction")


@pytest.mark.parametrize("command", ["status", "up", "demo --once", "import ."])
def test_a_home_that_is_a_file_is_refused(tournee: Tournee, tmp_path: Path, command: str) -> None:
    file = tmp_path / "file"
    file.touch()
    for home in (file, file / "below"):
        require_refusal(tournee(*command.split(), home=str(home)), f"{file} is a file", "set TOURNEE_HOME")


@pytest.mark.parametrize("command", ["status", "up", "demo --once"])
def test_a_home_that_the_servers_can_not_enter_is_refused_before_anything_is_made(
    tournee: Tournee, tmp_path: Path, command: str
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o000)
    require_refusal(tournee(*command.split(), home=str(closed / "home")), "can't enter", "chmod o+x")
    closed.chmod(0o755)
    assert list(closed.iterdir()) == []


def test_faults_that_are_to_be_planted_from_a_file_that_is_not_there_are_refused(
    tournee: Tournee, database_url: str, redis_url: str
) -> None:
    answer = tournee("status", database_url=database_url, redis_url=redis_url, sandbox_faults="/nowhere/faults.json")
    require_refusal(answer, "TOURNEE_SANDBOX_FAULTS")


def test_doctor_tells_a_taken_port_and_an_evicting_redis_with_the_way_out(
    tournee: Tournee, database_url: str, evicting_redis_url: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        answer = tournee("doctor", database_url=database_url, redis_url=evicting_redis_url, web_port=port)
    assert answer.code == 3
    # The line may be folded where the table is narrow; the port itself is never cut.
    assert str(port) in answer.stdout
    assert "Set it to noeviction" in answer.stdout
    assert answer.stdout.count("settings") == 1
