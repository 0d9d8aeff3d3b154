"""Our packed commands against those that BullMQ's own package makes: a new version of it may not drift from us."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import hiredis
import msgpack  # type: ignore[import-untyped]
import pytest
from bullmq import Job
from bullmq.scripts import Scripts

from tests.support.broker import QUEUE, TOKEN, dispatch_id, make_job
from tournee.engine.bullmq.commands import QueueCommands
from tournee.engine.bullmq.entries import make_entry
from tournee.engine.bullmq.layout import make_layout
from tournee.engine.bullmq.scripts import ScriptLibrary
from tournee.engine.bullmq.settings import BrokerSettings
from tournee.engine.ports import Finished

Call = tuple[list[bytes], list[Any]]

NOW = 1_767_225_600.0
SETTINGS = BrokerSettings("redis://nowhere", keep_completed=7, keep_failed=8, metrics_minutes=60)


@pytest.fixture(autouse=True)
def _stopped_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: NOW)


@pytest.fixture
def commands() -> QueueCommands:
    return QueueCommands(make_layout("bull", QUEUE), ScriptLibrary(), SETTINGS)


class Recorder:
    """Stands where BullMQ's scripts find their connection, and keeps what they would have sent."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.conn = None
        self.commands = dict.fromkeys(("addStandardJob", "moveToActive", "extendLocks"), self._record)

    def _record(self, keys: list[str], args: list[Any], client: object = None) -> Any:
        self.calls.append(normalise_call(keys, args))
        return _answer()

    @property
    def scripts(self) -> Scripts:
        return Scripts("bull", QUEUE, self)


async def _answer() -> None:
    return None


def normalise_call(keys: list[str], args: list[Any]) -> Call:
    """Keys and arguments as the server would see them; what is MessagePack is unpacked."""
    return [key.encode() for key in keys], [normalise_argument(argument) for argument in args]


def normalise_argument(argument: Any) -> Any:
    encoded = argument if isinstance(argument, bytes) else str(argument).encode()
    try:
        unpacked = msgpack.unpackb(encoded)
    except (ValueError, msgpack.exceptions.ExtraData, msgpack.exceptions.UnpackException):
        return encoded
    return unpacked if isinstance(unpacked, (dict, list)) else encoded


def read_packed(packed: bytes) -> tuple[bytes, Call]:
    """The script's SHA-1, keys and arguments of a packed EVALSHA."""
    reader = hiredis.Reader()
    reader.feed(packed)
    word, sha, count, *rest = reader.gets()
    assert word == b"EVALSHA"
    keys, arguments = rest[: int(count)], rest[int(count) :]
    return sha, (keys, [normalise_argument(argument) for argument in arguments])


def without(options: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name not in names}


@pytest.mark.parametrize("front", [False, True])
def test_an_add_is_that_of_bullmq(commands: QueueCommands, front: bool) -> None:
    job = make_job(7, dispatch=2, front=front)
    recorder = Recorder()
    options: dict[str, Any] = {"attempts": 3} | ({"lifo": True} if front else {})
    data = json.loads(make_entry(job).data)
    queue = SimpleNamespace(backend=None, opts={}, qualifiedName=f"bull:{QUEUE}")
    theirs = Job(queue, job.kind, data, {**options, "timestamp": int(NOW * 1000)}, job_id=str(job.id))
    recorder.scripts.addStandardJob(theirs, theirs.timestamp).close()
    [(their_keys, their_arguments)] = recorder.calls

    _, (our_keys, our_arguments) = read_packed(commands.add(make_entry(job)))

    assert our_keys == their_keys
    assert our_arguments[0] == their_arguments[0]
    assert our_arguments[1:2] == their_arguments[1:2]
    assert our_arguments[2] == {name: their_arguments[2][name] for name in options}
    assert our_arguments[3:] == their_arguments[3:]


async def test_a_fetch_is_that_of_bullmq(commands: QueueCommands) -> None:
    recorder = Recorder()
    await recorder.scripts.moveToActive(TOKEN, {"lockDuration": 30_000})
    [(their_keys, their_arguments)] = recorder.calls

    _, (our_keys, our_arguments) = read_packed(commands.fetch(TOKEN))

    assert our_keys == their_keys
    assert our_arguments[:2] == their_arguments[:2]
    assert without(our_arguments[2], "name") == their_arguments[2]


@pytest.mark.parametrize("fetch_next", [True, False])
@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("succeeded", [True, False])
def test_a_finish_is_that_of_bullmq(commands: QueueCommands, succeeded: bool, kept: bool, fetch_next: bool) -> None:
    entry = Finished(
        dispatch_id(7),
        TOKEN,
        succeeded=succeeded,
        kept=kept,
        return_value="done" if succeeded else None,
        failed_reason=None if succeeded else "no JSON",
        stack_trace=["a trace"],
    )
    queue = SimpleNamespace(opts={"lockDuration": 30_000, "metrics": {"maxDataPoints": 60}})
    job = SimpleNamespace(id="j7-1", queue=queue, opts={}, attempts=0, attemptsMade=0)
    scripts = Recorder().scripts
    if succeeded:
        keys, arguments = scripts.moveToCompletedArgs(job, "done", 7 if kept else True, TOKEN, fetch_next)
    else:
        fields = {"failedReason": "no JSON", "stacktrace": '["a trace"]'} if kept else None
        keys, arguments = scripts.moveToFailedArgs(
            job, "no JSON", 8 if kept else True, TOKEN, fetch_next, fields_to_update=fields
        )
    their_keys, their_arguments = normalise_call(keys, arguments)

    _, (our_keys, our_arguments) = read_packed(commands.finish(entry, kept=kept, fetch_next=fetch_next))

    assert our_keys == their_keys
    assert our_arguments[:7] == their_arguments[:7]
    assert without(our_arguments[7], "name", "attempts") == without(their_arguments[7], "attempts")
    assert our_arguments[8:] == their_arguments[8:]


async def test_a_renewal_of_locks_is_that_of_bullmq(commands: QueueCommands) -> None:
    recorder = Recorder()
    await recorder.scripts.extendJobLocks(["j1-1", "j2-1"], [TOKEN, TOKEN], 30_000)

    _, ours = read_packed(commands.extend_locks(["j1-1", "j2-1"], [TOKEN, TOKEN], 30_000))

    assert [ours] == recorder.calls


def test_the_scripts_are_those_of_the_installed_package() -> None:
    from bullmq.redis_connection import SCRIPT_DEFINITIONS, loadScript

    library = ScriptLibrary()

    for name in ("addStandardJob", "moveToActive", "moveToFinished", "extendLocks", "updateProgress"):
        assert library[name].text.decode() == loadScript(SCRIPT_DEFINITIONS[name])
    assert b"Add job log" in library["addLog"].text
