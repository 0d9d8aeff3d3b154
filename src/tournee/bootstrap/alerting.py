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
from tournee.alerts.engine_watch import CLOSED, LedgerWatch, SearchWait
from tournee.bootstrap.stores import Stores
from tournee.db.pool import Pool
from tournee.engine.client import Engine
from tournee.engine.core.job import WorkerId
from tournee.engine.maintenance.leader import Leadership
from tournee.engine.maintenance.service import Service
from tournee.engine.ports import LedgerContended, LedgerUnavailable
from tournee.engine.postgres.session import translated_errors
from tournee.monitoring import Watch, build_alerts
from tournee.pipeline.core.payloads import AnalyseNewsletter, IndexNewsletter
from tournee.pipeline.store.freshness import read_longest_wait
from tournee.settings import Settings

LOOK_SECONDS = 2.0
LEAD_SECONDS = 10.0
ROLE = "alerts"
ON_THE_WAY_TO_SEARCH = (AnalyseNewsletter.queue_name, IndexNewsletter.queue_name)


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


def watch_ledger(alerts: Alerts, engine: Engine, pool: Pool) -> Service:
    """A service that looks at breakers, dead letters and what waits for search, in whichever process leads. The caller
    starts and stops it.
    """
    watch = LedgerWatch(alerts.monitor)
    leadership = Leadership(engine.store, ROLE, WorkerId(uuid4()), timedelta(seconds=LEAD_SECONDS))

    async def look() -> None:
        try:
            if await leadership.take():
                letters, _ = await engine.store.read_dead_fingerprint()
                watch.look(await engine.read_providers(), letters, await read_search_wait(engine, pool))
            else:
                watch.forget()
        except (LedgerUnavailable, LedgerContended):
            # That is the detectors' business; who leads afterwards begins anew.
            watch.forget()

    return Service("alerts", look, LOOK_SECONDS)


async def read_search_wait(engine: Engine, pool: Pool) -> SearchWait:
    """How long the oldest newsletter has waited to be searchable, and whether an outage or an operator explains it."""
    with translated_errors():
        seconds = await read_longest_wait(pool)
    if not seconds:
        return SearchWait()
    gates = [await engine.store.read_gate(queue) for queue in ON_THE_WAY_TO_SEARCH]
    return SearchWait(seconds, any(gate.paused or gate.breaker != CLOSED for gate in gates))
