"""The sandbox as a process: it says where it is, and goes when it should."""

from __future__ import annotations

import json
import signal
import smtplib
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import psutil

COMMAND = [sys.executable, "-m", "tournee_sandbox"]
PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-m", "tournee_sandbox", "--home", sys.argv[1], "--json"], stdout=sys.stdout)
child.wait()
"""


def _start(command: list[str]) -> tuple[subprocess.Popen[str], dict[str, Any]]:
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())


def _end(process: subprocess.Popen[str]) -> int:
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    return process.returncode


def test_its_first_line_says_where_it_answers(tmp_path: Path) -> None:
    process, said = _start([*COMMAND, "--home", str(tmp_path / "a home"), "--seed", "5", "--json"])
    try:
        port = int(said["smtp"]["url"].rpartition(":")[2])
        assert port < 32768
        with smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
            client.sendmail("a@x.example", ["b@x.example"], "Message-ID: <1@x.example>\n\nText\n")
        with urllib.request.urlopen(said["smtp"]["control"] + "/mails/count", timeout=60) as answer:
            assert json.load(answer)["count"] == 1
        assert (said["seed"], said["pid"], said["home"]) == (5, process.pid, str(tmp_path / "a home"))
    finally:
        assert _end(process) == 0


def test_mail_outlives_a_kill(tmp_path: Path) -> None:
    process, said = _start([*COMMAND, "--home", str(tmp_path), "--json"])
    with smtplib.SMTP("127.0.0.1", int(said["smtp"]["url"].rpartition(":")[2]), timeout=60) as client:
        client.sendmail("a@x.example", ["b@x.example"], "Message-ID: <1@x.example>\n\nText\n")
        process.kill()
        process.communicate(timeout=60)
        client.close()
    again, said = _start([*COMMAND, "--home", str(tmp_path), "--json"])
    try:
        with urllib.request.urlopen(said["smtp"]["control"] + "/mails/count", timeout=60) as answer:
            assert json.load(answer)["count"] == 1
    finally:
        assert _end(again) == 0


def test_a_second_one_in_the_same_home_is_refused_with_a_reason(tmp_path: Path) -> None:
    process, _ = _start([*COMMAND, "--home", str(tmp_path), "--json"])
    try:
        second = _run("--home", str(tmp_path))
        assert second.returncode == 3
        assert "in use" in second.stderr
    finally:
        _end(process)


def test_it_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    parent, said = _start([sys.executable, "-c", PARENT, str(tmp_path)])
    child = psutil.Process(said["pid"])
    parent.kill()
    parent.communicate(timeout=60)
    child.wait(timeout=60)
    assert not child.is_running()


def test_it_does_not_start_for_a_parent_that_is_gone(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    ended = _run("--home", str(tmp_path), "--json", "--parent", str(gone.pid))
    assert (ended.returncode, ended.stdout) == (0, "")


def test_a_home_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file where the folder should be")
    ended = _run("--home", str(tmp_path / "home"))
    assert ended.returncode == 3
    assert str(tmp_path) in ended.stderr


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], check=False, capture_output=True, text=True, timeout=60)
