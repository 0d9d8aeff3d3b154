"""The command as a process: signals, closed pipes, and what `--help` imports."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

HEAVY = (
    "alembic",
    "asyncio",
    "asyncpg",
    "bullmq",
    "fastapi",
    "pydantic",
    "pydantic_settings",
    "redis",
    "rich",
    "sqlalchemy",
)

RUN = """\
import sys
from tests.unit.cli.stand_in import install_stand_in
install_stand_in()
from tournee.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


def start(*words: str) -> subprocess.Popen[str]:
    """Start the command in a process of its own, with the stand-in."""
    return subprocess.Popen(
        [sys.executable, "-c", RUN, *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


HELP = f"""\
import sys
from tournee.cli.main import main
main(["--help"])
print(*sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)
"""


def test_help_imports_nothing_heavy() -> None:
    finished = subprocess.run([sys.executable, "-c", HELP], capture_output=True, text=True, check=True, cwd=ROOT)
    assert "Usage: tournee" in finished.stdout
    assert finished.stderr.strip() == ""


def test_ctrl_c_ends_a_service_cleanly_with_130() -> None:
    with start("up", "--json") as process:
        assert process.stdout is not None
        assert "console" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
    assert (process.returncode, told) == (130, "tournee: interrupted\n")


def test_sigterm_is_the_regular_end_of_a_service() -> None:
    with start("up", "--json") as process:
        assert process.stdout is not None
        assert "console" in process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=60)
    assert (process.returncode, told) == (0, "")


def test_a_terminal_that_knows_no_dash_gets_its_table_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    with start("jobs", "list") as process:
        printed, told = process.communicate(timeout=60)
    assert (process.returncode, told) == (0, "")
    assert printed.isascii()


def test_a_closed_pipe_ends_the_command_quietly() -> None:
    with start("jobs", "list") as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        told = process.stderr.read()
        process.wait(timeout=60)
    assert (process.returncode, told) == (141, "")


BLOCKED = """\
import os, sys

class Reader:
    def find_spec(self, name, path=None, target=None):
        if name == os.environ["BLOCKED_MODULE"]:
            print("reads", flush=True)
            try:
                sys.stdin.read()
            except BaseException:
                print("swallowed", flush=True)

sys.meta_path.insert(0, Reader())
"""


@pytest.mark.parametrize("module", ["tournee.cli.main", "typer", "tournee.cli.runner", "tournee.bootstrap"])
def test_ctrl_c_while_modules_are_read_is_one_line_and_130(tmp_path: Path, module: str) -> None:
    (tmp_path / "sitecustomize.py").write_text(BLOCKED, encoding="utf-8")
    with subprocess.Popen(
        [sys.executable, "-m", "tournee", "status"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT / 'src'}", "BLOCKED_MODULE": module},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "reads\n"
        process.send_signal(signal.SIGINT)
        printed, told = process.communicate(timeout=60)
    assert (process.returncode, printed, told) == (130, "", "tournee: interrupted\n")


def test_who_was_started_with_ctrl_c_ignored_goes_on(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(BLOCKED, encoding="utf-8")
    with subprocess.Popen(
        ["/bin/sh", "-c", "trap '' INT; exec \"$@\"", "sh", sys.executable, "-m", "tournee", "--version"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT / 'src'}", "BLOCKED_MODULE": "typer"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "reads\n"
        process.send_signal(signal.SIGINT)
        printed, told = process.communicate(timeout=60)
    assert (process.returncode, told) == (0, "")
    assert printed.startswith("tournee ")


def test_the_console_script_is_the_entry_that_minds_ctrl_c() -> None:
    for file, named in (
        ("pyproject.toml", 'tournee = "tournee.__main__:main"'),
        ("requirements/install.py", "from tournee.__main__ import main"),
    ):
        assert named in (ROOT / file).read_text(encoding="utf-8").splitlines()


STUCK = """\
import asyncio, sys, threading
from tournee.cli import runner
from tournee.cli.errors import Interrupted

async def work():
    waiting = asyncio.create_task(asyncio.to_thread(threading.Event().wait))
    await asyncio.sleep(0)
    print("waits", flush=True)
    await waiting

try:
    runner.run(work)
except Interrupted as interrupted:
    sys.exit(interrupted.exit_code)
"""


def test_a_thread_that_is_stuck_does_not_hold_a_command_that_ctrl_c_has_ended() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", STUCK], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waits\n"
        end = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < end:
            process.send_signal(signal.SIGINT)
            time.sleep(0.2)
        process.kill()
        _, told = process.communicate()
    assert process.returncode == -signal.SIGINT
    assert told == ""


UNGUARDED = """\
import multiprocessing, sys
from tournee.cli.main import main
main(["--version"])
child = multiprocessing.get_context("spawn").Process(target=print, args=("child",))
child.start()
child.join()
sys.exit(child.exitcode)
"""


def test_a_process_that_we_start_does_not_run_the_script_that_started_us(tmp_path: Path) -> None:
    script = tmp_path / "tournee"
    script.write_text(UNGUARDED, encoding="utf-8")
    finished = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True, timeout=60)
    assert [line.split()[0] for line in finished.stdout.splitlines()] == ["tournee", "child"]
