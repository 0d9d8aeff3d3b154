"""PostgreSQL's data folder: made whole or not at all, and checked before a server is let at it.

Invariant: a folder named `data` is complete: initdb, roles and database are done in `data.new`, which is synced and
then renamed. Every password is set over stdin of a single-user server, so that none is ever in a file or an argument
list, and no server ever listens without one.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path

from tournee.embedded.account import write_owned
from tournee.embedded.binaries import Programs
from tournee.embedded.errors import ServerStartFailed
from tournee.embedded.log import ServerLog, explain_failure
from tournee.kit.child import Account, ChildProcess, Command
from tournee.kit.errors import SetupError

DATABASE = "tournee"
OWNER = "tournee"
SUPERUSER = "postgres"

ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC", "PATH": "/usr/local/bin:/usr/bin:/bin"}
"""All that PostgreSQL sees of the environment: no PG* variable of ours can change what it does."""

# One call for the whole file system, instead of one for each of a thousand files: 0.05 s for 3 s on a busy disk.
_SYNC_METHOD = ("--sync-method=syncfs",) if sys.platform == "linux" else ()

_HBA = """\
# Written by Tournée at each start.
host all all 127.0.0.1/32 scram-sha-256
"""


class Cluster:
    """The data folder `data` in `folder`, which belongs to the servers' user."""

    def __init__(self, folder: Path, programs: Programs, account: Account | None, log: ServerLog) -> None:
        self.data = folder / "data"
        self._draft = folder / "data.new"
        self._programs = programs
        self._account = account
        self._log = log

    async def create_if_missing(self, passwords: dict[str, str], durable: bool) -> bool:
        """Make the folder with its roles and database; False if it was there. What a crash left half-made goes."""
        if self.data.exists():
            return False
        shutil.rmtree(self._draft, ignore_errors=True)
        await self._run_initdb()
        await self._run_statements(self._draft, [f"CREATE ROLE {OWNER} LOGIN", *_set_passwords(passwords)])
        await self._run_statements(self._draft, [f"CREATE DATABASE {DATABASE} OWNER {OWNER}"])
        if durable:
            await self._run(self._programs["initdb"], "-D", self._draft, "--sync-only", *_SYNC_METHOD)
        self._draft.rename(self.data)
        if durable:
            _sync_folder(self.data.parent)
        return True

    async def set_passwords(self, passwords: dict[str, str]) -> None:
        """Replace the roles' passwords while no server runs."""
        await self._run_statements(self.data, _set_passwords(passwords))

    def check_version(self, server_version: str) -> None:
        """Raise `SetupError` if another major version of PostgreSQL wrote the folder."""
        try:
            written = (self.data / "PG_VERSION").read_text(encoding="ascii").strip()
        except FileNotFoundError:
            raise SetupError(f"{self.data} holds no PostgreSQL data: move it away and start again") from None
        ours = server_version.split(".", maxsplit=1)[0]
        if written != ours:
            raise SetupError(
                f"{self.data} was written by PostgreSQL {written}, this is PostgreSQL {ours}: dump it with the Tournée "
                "that wrote it and restore it here, or move it away to start empty"
            )

    def write_settings(self, settings: dict[str, str]) -> None:
        """Write postgresql.conf and pg_hba.conf anew. An operator's ALTER SYSTEM is kept and comes after."""
        lines = ["# Written by Tournée at each start; change settings with ALTER SYSTEM."]
        lines += [f"{name} = {_quote(value)}" for name, value in settings.items()]
        write_owned(self.data / "postgresql.conf", "\n".join(lines) + "\n", self._account)
        write_owned(self.data / "pg_hba.conf", _HBA, self._account)

    def is_ready(self, pid: int) -> bool:
        """True when the postmaster with this pid says in its pid file that it accepts connections."""
        try:
            lines = (self.data / "postmaster.pid").read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"

    def forget_stale_postmaster(self) -> None:
        """Remove a dead postmaster's pid file: its pid may belong to any process by now.

        Only when no postmaster works in the folder. Shared memory that is still attached stops a second one even so.
        """
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    async def _run_initdb(self) -> None:
        """The built-in provider sorts and folds case alike on every system; what is a letter is the C library's word,
        in the first of these locales that it knows. Without one, trigrams see ASCII letters only."""
        for letters in ("C.UTF-8", "en_US.UTF-8", "C"):
            mark = self._log.mark()
            try:
                await self._run(
                    self._programs["initdb"],
                    *("-D", self._draft, "-U", SUPERUSER, "--auth=reject", "--encoding=UTF8"),
                    *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C", f"--lc-ctype={letters}"),
                    *("--no-sync", "--no-instructions"),
                )
                return
            except ServerStartFailed:
                unknown = any("invalid locale name" in line for line in self._log.read_since(mark))
                if letters == "C" or not unknown:
                    raise

    async def _run_statements(self, data: Path, statements: list[str]) -> None:
        """Run one statement a line in a single-user server that exits at the first error."""
        await self._run(
            self._programs["postgres"],
            *("--single", "-F", "-c", "exit_on_error=true", "-c", "log_checkpoints=off", "-D", data, SUPERUSER),
            stdin="".join(f"{statement}\n" for statement in statements),
        )

    async def _run(self, program: Path, *arguments: str | Path, stdin: str = "") -> None:
        mark = self._log.mark()
        command = Command([program, *arguments], self._account, signal.SIGKILL, stdin.encode(), environment=ENVIRONMENT)
        with self._log.open_for_append() as output:
            child = ChildProcess.spawn(command, output)
        try:
            code = await child.wait()
        finally:
            await child.stop([])
        if code != 0:
            raise self._explain(program.name, mark)

    def _explain(self, program: str, mark: int) -> ServerStartFailed:
        return explain_failure(f"PostgreSQL's {program}", self._log.read_since(mark), self._log.path)


def _set_passwords(passwords: dict[str, str]) -> list[str]:
    return [f"ALTER ROLE {role} PASSWORD '{password}'" for role, password in passwords.items()]


def _quote(value: str) -> str:
    doubled = value.replace("'", "''")
    return f"'{doubled}'"


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
