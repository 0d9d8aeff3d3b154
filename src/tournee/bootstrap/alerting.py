"""Alerts of the serving processes: which of them tells of what.

Keeps: where `up` supervises, it alone tells of stores and disk, and its children only look to know what explains their
errors; what the ledger as a whole says is told by one process, whichever leads. Each process tells of its own errors.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import uuid4

from tournee.alerts import Alerts
from tournee.alerts.engine_watch import LedgerWatch
from tournee.bootstrap.stores import Stores
from tournee.engine.client import Engine
from tournee.engine.core.job import WorkerId
from tournee.engine.maintenance.leader import Leadership
from tournee.engine.maintenance.service import Service
from tournee.engine.ports import LedgerContended, LedgerUnavailable
from tournee.monitoring import Watch, build_alerts
from tournee.settings import Settings

LOOK_SECONDS = 2.0
LEAD_SECONDS = 10.0
ROLE = "alerts"


@asynccontextmanager
async def open_alerts(
    settings: Settings, process: str, stores: Stores, *, supervises: bool = False, console_url: str = ""
) -> AsyncIterator[Alerts]:
    """Alerts of this process for as long as this is open. `supervises`: it is the one that tells of the stores."""
    supervised = stores.stack is not None and stores.stack.supervises_us
    watch = Watch(
        process,
        stores.database_url,
        stores.redis_url,
        folder=settings.home,
        tells=_tells(settings, process, supervised=supervised, supervises=supervises),
        console_url=console_url or (stores.stack.web_url if stores.stack is not None else ""),
    )
    alerts = build_alerts(settings, watch)
    alerts.start()
    try:
        yield alerts
    finally:
        await asyncio.to_thread(alerts.stop)


def _tells(settings: Settings, process: str, *, supervised: bool, supervises: bool) -> bool:
    """Who says that a store is down: one process, or as the operator has decided."""
    if supervised or settings.alert_stores == "no":
        return False
    return supervises or settings.alert_stores == "yes" or process == "api"


def watch_ledger(alerts: Alerts, engine: Engine) -> Service:
    """A service that looks at breakers and dead letters, in whichever process leads. The caller starts and stops it."""
    watch = LedgerWatch(alerts.monitor)
    leadership = Leadership(engine.store, ROLE, WorkerId(uuid4()), timedelta(seconds=LEAD_SECONDS))

    async def look() -> None:
        try:
            if await leadership.take():
                letters, _ = await engine.store.read_dead_fingerprint()
                watch.look(await engine.read_providers(), letters)
            else:
                watch.forget()
        except (LedgerUnavailable, LedgerContended):
            # That is the detectors' business; who leads afterwards begins anew.
            watch.forget()

    return Service("alerts", look, LOOK_SECONDS)
