"""A stack is found while its process lives, and not a moment longer."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from tournee.bootstrap.home import own_home
from tournee.bootstrap.locks import LockHeld, hold_lock
from tournee.bootstrap.stack_file import COMMAND, StackFile, read_stack, remove_stack, write_stack
from tournee.bootstrap.stores import Stores, describe_self, find_stores
from tournee.kit.errors import SetupError
from tournee.settings import Settings

STORES = Stores("postgresql://a:secret@127.0.0.1:1/x", "redis://:secret@127.0.0.1:2/0", pooler="pgbouncer")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    return tmp_path


def test_a_described_stack_is_read_back_and_its_passwords_are_for_its_user_alone(home: Path) -> None:
    stack = describe_self("up", STORES, access_token="token", web_url="http://127.0.0.1:3")
    write_stack(home, stack)
    assert read_stack(home) == stack
    assert (home / "run" / "stack.json").stat().st_mode & 0o077 == 0
    assert "secret" not in repr(stack)
    assert "token" not in repr(stack).replace("access_token", "")
    remove_stack(home)
    assert read_stack(home) is None


def test_the_stack_of_a_process_that_is_gone_is_none(home: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        started = psutil.Process(process.pid).create_time()
        stack = StackFile(process.pid, started, "up", "postgresql://x", "redis://x")
        write_stack(home, stack)
        assert read_stack(home) is not None
        # A later process that has got the same id is another one.
        write_stack(home, replace(stack, started=started - 60))
        assert read_stack(home) is None
        write_stack(home, stack)
        process.kill()
    assert read_stack(home) is None


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 1}', '{"pid": "x", "started": 1}'])
def test_a_spoilt_description_is_none(home: Path, content: str) -> None:
    (home / "run" / "stack.json").write_text(content, encoding="utf-8")
    assert read_stack(home) is None


def test_given_stores_are_the_stacks_only_where_they_are_the_same(home: Path) -> None:
    write_stack(home, describe_self("up", STORES))
    given = {"database_url": STORES.database_url, "redis_url": STORES.redis_url}
    same = find_stores(Settings(home=home, **given))  # type: ignore[arg-type]
    other = find_stores(Settings(home=home, **{**given, "redis_url": "redis://127.0.0.1:9/0"}))  # type: ignore[arg-type]
    joined = find_stores(Settings(home=home))
    assert same is not None
    assert same.stack is not None
    assert other is not None
    assert other.stack is None
    assert joined is not None
    assert joined.database_url == STORES.database_url
    # What the stack's address leads through is known to whoever joins, and said by whoever gives an address.
    assert (joined.pooler, same.pooler) == ("pgbouncer", "none")


def test_a_home_has_one_stack_whether_it_is_described_yet_or_not(home: Path) -> None:
    with own_home(home), pytest.raises(SetupError, match="already"), own_home(home):
        pass
    write_stack(home, describe_self(COMMAND, STORES))
    with pytest.raises(SetupError, match="a command uses the servers"), own_home(home):
        pass


def test_a_lock_is_held_by_many_or_by_one(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with hold_lock(path, shared=True), hold_lock(path, shared=True), pytest.raises(LockHeld), hold_lock(path):
        pass
    with hold_lock(path), pytest.raises(LockHeld), hold_lock(path, shared=True):
        pass
