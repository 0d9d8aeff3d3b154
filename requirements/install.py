"""Set up a virtual environment from one of the locks beside this file, with nothing but Python's own library.

Owns `.venv` and `.setup`. Keeps: what is installed is exactly what a lock names, by hash; a second run changes
nothing and takes no time; a run that was interrupted is repaired by the next. Refuses to write the address of
a package index anywhere: the machine's own pip configuration says where packages come from, and `uv` is told the
same at run time.

    python3 requirements/install.py run|dev [--venv FOLDER] [--quiet]

The work is done by `uv` (itself locked in bootstrap.txt, fetched by pip), which takes a tenth of pip's time; where
`uv` cannot be had or fails, pip installs the same lock.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ROOT / "requirements"
STATE = ROOT / ".setup"
INCOMPLETE = 3
"""Exit code: something is missing on this machine; the message says what to do."""

GROUPS = ("run", "dev")
"""From the smallest to the largest; each lock holds all that the one before it holds."""

SCRIPT = """\
#!/bin/sh
'''exec' "{python}" "$0" "$@"
' '''
import sys

from tournee.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
"""

PIP_TO_UV = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "proxy": "HTTPS_PROXY",
    "timeout": "UV_HTTP_TIMEOUT",
    "default-timeout": "UV_HTTP_TIMEOUT",
}
"""What pip calls it, and the variable through which uv is told the same."""


class SetupFailed(Exception):
    """The environment could not be made; the message says what to do."""


def main() -> int:
    """Install one group; answers 0, or 3 when this machine lacks something."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("group", choices=GROUPS)
    parser.add_argument("--venv", type=Path, default=ROOT / ".venv")
    parser.add_argument("--quiet", action="store_true")
    arguments = parser.parse_args()
    if sys.version_info < (3, 11):  # noqa: UP036 - started by hand with an older Python, it must say so
        print(f"setup: Python 3.11 or later is needed, this is {platform.python_version()}", file=sys.stderr)
        return INCOMPLETE
    STATE.mkdir(exist_ok=True)
    try:
        with hold_lock():
            install_group(arguments.group, arguments.venv.absolute(), quiet=arguments.quiet)
    except SetupFailed as error:
        print(f"setup: {error}", file=sys.stderr)
        return INCOMPLETE
    except KeyboardInterrupt:
        print("setup: interrupted; the next run repairs it", file=sys.stderr)
        return 130
    return 0


@contextlib.contextmanager
def hold_lock() -> Iterator[None]:
    """Let one set-up work at a time; another waits for it and then finds nothing left to do."""
    with (STATE / "lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def install_group(group: str, venv: Path, *, quiet: bool) -> None:
    """Bring `venv` to the state of a group's lock, or to that of a larger group that it held before."""
    if find_installed_group(venv, group):
        return
    group = next((other for other in GROUPS[GROUPS.index(group) :] if stamp_of(venv, other).exists()), group)
    started = time.monotonic()
    report(f"setting up {venv.name} with requirements/{group}.txt for Python {platform.python_version()}", quiet=quiet)
    ours = make_venv(venv)
    unfinished = venv / ".unfinished"
    unfinished.touch()
    for other in GROUPS:
        stamp_of(venv, other).unlink(missing_ok=True)
    install_lock(LOCKS / f"{group}.txt", venv, exactly=ours, quiet=quiet)
    link_project(venv)
    compile_bytecode(venv)
    stamp_of(venv, group).write_text(describe_group(group))
    unfinished.unlink()
    report(f"{venv.name} is ready after {time.monotonic() - started:.1f} s", quiet=quiet)


def find_installed_group(venv: Path, group: str) -> str | None:
    """Name the group, this one or a larger one, whose present lock `venv` already holds."""
    if (venv / ".unfinished").exists() or not (venv / "bin" / "python").exists():
        return None
    for candidate in GROUPS[GROUPS.index(group) :]:
        stamp = stamp_of(venv, candidate)
        if stamp.exists() and stamp.read_text() == describe_group(candidate):
            return candidate
    return None


def stamp_of(venv: Path, group: str) -> Path:
    """Say where it is noted which lock a group was last installed from."""
    return venv / f".installed-{group}"


def describe_group(group: str) -> str:
    """Fingerprint all that decides what is installed: the lock, this script, the interpreter, the checkout's place."""
    digest = hashlib.sha256()
    for path in (LOCKS / f"{group}.txt", Path(__file__)):
        digest.update(path.read_bytes())
    base = Path(sys.base_prefix).resolve()
    for word in (platform.python_implementation(), platform.python_version(), platform.machine(), base, ROOT):
        digest.update(f"\0{word}".encode())
    return digest.hexdigest() + "\n"


def make_venv(venv: Path) -> bool:
    """Make `venv` new when it is missing, half-written, or of another interpreter; else leave it.

    Answers whether this script made it: what somebody else put into an environment of their own stays there.
    """
    config = venv / "pyvenv.cfg"
    whole = config.exists() and not (venv / ".unfinished").exists()
    if whole and read_version(venv) == platform.python_version():
        return any(stamp_of(venv, group).exists() for group in GROUPS)
    shutil.rmtree(venv, ignore_errors=True)
    run([sys.executable, "-m", "venv", "--without-pip", str(venv)], "python3 -m venv failed")
    return True


def read_version(venv: Path) -> str | None:
    """Ask the interpreter of `venv` for its version; None if it does not start."""
    try:
        asked = subprocess.run(
            [str(venv / "bin" / "python"), "-c", "import platform; print(platform.python_version())"],
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return asked.stdout.strip()


def install_lock(lock: Path, venv: Path, *, exactly: bool, quiet: bool) -> None:
    """Install what `lock` names, by uv if it can be had, else by pip; `exactly`: and remove what it does not name."""
    uv = fetch_uv(quiet=quiet)
    python = str(venv / "bin" / "python")
    if uv is not None:
        verb = ["sync"] if exactly else ["install", "--requirements"]
        command = [str(uv), "pip", verb[0], "--quiet", "--python", python, "--require-hashes", *verb[1:], str(lock)]
        if subprocess.run(command, env=build_uv_environment(), cwd=ROOT, check=False).returncode == 0:
            return
        report("uv did not manage it; trying again with pip, which takes longer", quiet=quiet)
    command = [*find_pip(venv), "install", "--quiet", "--no-compile", "--require-hashes", "-r", str(lock)]
    run(command, "pip could not install the locked packages; is the package index reachable?")


def fetch_uv(*, quiet: bool) -> Path | None:
    """Fetch the locked uv into `.setup` once; None where it cannot be had."""
    lock = LOCKS / "bootstrap.txt"
    key = hashlib.sha256(lock.read_bytes() + platform.machine().encode()).hexdigest()[:16]
    folder = STATE / f"uv-{key}"
    if not (folder / "bin" / "uv").exists():
        partial = STATE / "uv-partial"
        shutil.rmtree(partial, ignore_errors=True)
        pip = find_pip(None)
        if not pip:
            return None
        command = [
            *pip,
            "install",
            "--quiet",
            "--no-deps",
            "--require-hashes",
            "--target",
            str(partial),
            "-r",
            str(lock),
        ]
        fetched = subprocess.run(command, capture_output=True, text=True, check=False, env=build_pip_environment())
        if fetched.returncode != 0:
            report(f"uv could not be fetched: {find_reason(fetched.stderr)}", quiet=quiet)
            return None
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
    return folder / "bin" / "uv"


def find_pip(venv: Path | None) -> list[str]:
    """Answer the words that call a pip which installs into `venv` (None: anywhere, with `--target`).

    This interpreter's own pip is used if it has one; else a pip is put into `.setup` from the wheel that Python
    carries. Without either, a set-up is impossible and the message says so.
    """
    aim = [] if venv is None else ["--python", str(venv / "bin" / "python")]
    if subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0:
        return [sys.executable, "-m", "pip", *aim]
    folder = STATE / "pip"
    python = folder / "bin" / "python"
    if not (folder / "bin" / "pip").exists():
        shutil.rmtree(folder, ignore_errors=True)
        run(
            [sys.executable, "-m", "venv", str(folder)],
            "this Python has neither pip nor ensurepip: install them (on Debian: apt-get install python3-venv)",
        )
    return [str(python), "-m", "pip", *aim]


def build_pip_environment() -> dict[str, str]:
    """Keep pip's warnings for people who install by hand out of a set-up."""
    return {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_ROOT_USER_ACTION": "ignore"}


def build_uv_environment() -> dict[str, str]:
    """Tell uv where this machine's pip takes packages from. What is set for uv already is left alone.

    Hashes fix what is installed, so that uv may look at all indexes as pip does.
    """
    environment = {"UV_INDEX_STRATEGY": "unsafe-best-match", "UV_PYTHON_DOWNLOADS": "never"}
    for key, value in read_pip_configuration().items():
        name = PIP_TO_UV.get(key)
        if name and (name != "SSL_CERT_FILE" or Path(value).exists()):
            environment[name] = ",".join(value.split()) if name == "UV_FIND_LINKS" else value
    if "UV_INDEX_URL" in os.environ:
        environment.pop("UV_DEFAULT_INDEX", None)
    return {**environment, **os.environ}


def read_pip_configuration() -> dict[str, str]:
    """Read pip's own settings, from its files and its environment, by option name; empty if pip does not tell."""
    asked = subprocess.run(
        [*find_pip(None), "config", "list"], capture_output=True, text=True, check=False, env=build_pip_environment()
    )
    found: dict[str, str] = {}
    for line in asked.stdout.splitlines():
        name, separator, value = line.partition("=")
        section, _, option = name.rpartition(".")
        if separator and section in ("global", "install", ":env:"):
            found[option.replace("_", "-")] = value.strip().strip("'\"").replace("\\n", " ").strip()
    return found


def link_project(venv: Path) -> None:
    """Make the checkout importable in `venv` and put the `tournee` command there; nothing is built."""
    asked = subprocess.run(
        [str(venv / "bin" / "python"), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    )
    (Path(asked.stdout.strip()) / "tournee-checkout.pth").write_text(f"{ROOT / 'src'}\n", encoding="utf-8")
    script = venv / "bin" / "tournee"
    script.write_text(SCRIPT.format(python=venv / "bin" / "python"), encoding="utf-8")
    script.chmod(0o755)


def compile_bytecode(venv: Path) -> None:
    """Compile what was installed and the project itself, so that the first start is as fast as the second."""
    jobs = str(os.cpu_count() or 1)
    command = [str(venv / "bin" / "python"), "-m", "compileall", "-q", "-j", jobs, str(venv / "lib"), str(ROOT / "src")]
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


def run(command: list[str], complaint: str) -> None:
    """Run a step that must succeed; its output is shown, and the complaint says what to do if it fails."""
    if subprocess.run(command, check=False, env=build_pip_environment()).returncode != 0:
        raise SetupFailed(complaint)


def find_reason(text: str) -> str:
    """The first line that tells an error, else the last that says anything."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return next((line for line in lines if "ERROR" in line), lines[-1] if lines else "no reason given")


def report(line: str, *, quiet: bool) -> None:
    """Say what happens on stderr."""
    if not quiet:
        print(f"setup: {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
