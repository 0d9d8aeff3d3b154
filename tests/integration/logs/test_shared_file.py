"""`errors.log` on a real disk: several processes at once, no room, no folder, killed writers."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from tournee.kit.logs.entry import Entry
from tournee.kit.logs.sink import Sink
from tournee.kit.logs.writers import SharedFile

WRITER = """
import sys, time
from pathlib import Path
from tournee.kit.logs.entry import Entry
from tournee.kit.logs.sink import Sink
from tournee.kit.logs.writers import SharedFile
name, path, lines, most = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
sink = Sink("file", SharedFile(path, most_bytes=most, kept=int(sys.argv[5])).write, limit=10**9)
sink.start()
print("ready", flush=True)
sys.stdin.readline()
for number in range(lines):
    sink.offer(Entry(time.time(), 40, "test", {"event": "odd", "who": name, "number": number}, {}))
assert sink.flush(60)
"""

NO_ROOM = """
import json, resource, sys, time
from pathlib import Path
from tournee.kit.logs.entry import Entry
from tournee.kit.logs.sink import Sink
from tournee.kit.logs.writers import SharedFile
path = Path(sys.argv[1])
sink = Sink("file", SharedFile(path, most_bytes=10**9, kept=1).write)
sink.start()
def log(number):
    sink.offer(Entry(time.time(), 40, "test", {"event": "x" * 100, "number": number}, {}))
for number in range(5):
    log(number)
assert sink.flush(30)
size = path.stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 150, resource.RLIM_INFINITY))  # Not enough for one more line.
for number in range(5, 50):
    log(number)
while not sink.count().failing:
    time.sleep(0.005)
during = [path.stat().st_size - size, sink.count().failing]
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
assert sink.flush(30)
print(json.dumps([*during, sink.count().failing, sink.count().dropped]))
"""

LOGGING_PROCESS = """
import logging, os, signal, sys
from pathlib import Path
from tournee.kit.logs.pipeline import PIPELINE
from tournee.kit.logs.sink import Sink
from tournee.kit.logs.writers import SharedFile, Stream, form_json
shared = Sink("file", SharedFile(Path(sys.argv[1]) / "logs" / "errors.log", most_bytes=10**9, kept=1).write)
PIPELINE.open([Sink("stderr", Stream(lambda: sys.stderr, form_json, direct=True).write), shared])
def log(event, **fields):
    PIPELINE.put(logging.ERROR, "test", {"event": event, **fields})
"""


def start(script: str, *arguments: object, **options: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **options)


def finish(process: subprocess.Popen[str]) -> int:
    process.communicate(timeout=60)
    return process.returncode


def read_lines(*files: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]


def test_processes_that_write_and_rotate_at_once_lose_no_line(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "errors.log"
    writers = [start(WRITER, name, path, 3_000, 20_000, 200) for name in "abc"]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        writer.communicate("go\n", timeout=60)
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    files = [path, *path.parent.glob("errors.log.*")]
    found = [(line["who"], line["number"]) for line in read_lines(*files)]
    assert sorted(found) == [(who, number) for who in "abc" for number in range(3_000)]
    assert len(files) > 10
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in files)


def test_only_so_many_files_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "errors.log"
    writer = start(WRITER, "a", path, 2_000, 5_000, 2)
    writer.communicate("go\n", timeout=60)
    assert sorted(file.name for file in tmp_path.glob("errors.log*")) == ["errors.log", "errors.log.1", "errors.log.2"]
    assert read_lines(path)[-1]["number"] == 1_999


def test_a_full_disk_tears_no_line_and_all_is_written_when_there_is_room(tmp_path: Path) -> None:
    path = tmp_path / "errors.log"
    process = start(NO_ROOM, path)
    output, _ = process.communicate(timeout=60)
    assert json.loads(output) == [0, True, False, 0]
    assert [line["number"] for line in read_lines(path)] == list(range(50))


def test_a_folder_that_goes_and_comes_back_costs_nothing_but_what_was_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    sink = Sink("file", SharedFile(folder / "errors.log", most_bytes=10**9, kept=1).write)
    sink.start()

    def log(event: str) -> None:
        sink.offer(Entry(time.time(), 40, "test", {"event": event}, {}))

    log("before")
    assert sink.flush(30)
    shutil.rmtree(folder)
    log("folder gone")
    assert sink.flush(30)
    shutil.rmtree(folder)
    folder.touch()  # Nothing can be made in here.
    log("no folder")
    while not sink.count().failing:
        threading.Event().wait(0.005)
    folder.unlink()
    assert sink.flush(30)
    sink.stop(5)
    assert [line["event"] for line in read_lines(folder / "errors.log")] == ["no folder"]


def test_an_ordinary_end_writes_all_and_a_kill_loses_only_what_was_queued(tmp_path: Path) -> None:
    ordinary = start(LOGGING_PROCESS + "for n in range(500): log('odd', number=n)", tmp_path, stderr=subprocess.DEVNULL)
    assert finish(ordinary) == 0
    file = tmp_path / "logs" / "errors.log"
    assert [line["number"] for line in read_lines(file)] == list(range(500))
    killed = start(
        LOGGING_PROCESS
        + "log('flushed'); PIPELINE.flush()\n"
        + "for n in range(1000): log('queued', number=n)\n"
        + "os.kill(os.getpid(), signal.SIGKILL)",
        tmp_path,
        stderr=subprocess.DEVNULL,
    )
    assert finish(killed) == -signal.SIGKILL
    events = [line["event"] for line in read_lines(file)[500:]]
    assert events[0] == "flushed"
    assert set(events[1:]) <= {"queued"}


def test_a_console_that_nobody_reads_stops_neither_the_process_nor_its_file(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    try:
        process = start(
            LOGGING_PROCESS + "for n in range(2000): log('odd', number=n, words='x' * 100)\nassert shared.flush(30)",
            tmp_path,
            stderr=writer,
        )
        assert finish(process) == 0
    finally:
        os.close(reader)
        os.close(writer)
    assert [line["number"] for line in read_lines(tmp_path / "logs" / "errors.log")] == list(range(2_000))
