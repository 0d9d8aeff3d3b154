"""The demo: the embedded stack, the sandbox and the sample mailbox, in a home of its own that is made anew.

What runs is the real thing; only the outside is simulated. The planted failure comes from the sandbox, around the
analyser's port.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path

from pydantic import SecretStr

from tournee.bootstrap.api import DEMO_ROLE, Announce
from tournee.bootstrap.home import check_home, make_home
from tournee.bootstrap.locks import LockHeld, hold_lock
from tournee.bootstrap.orders import to_summary
from tournee.bootstrap.sandbox import list_sandbox_addresses, open_sandbox
from tournee.bootstrap.stack import OpenStack, Watch, join_stack
from tournee.bootstrap.stopping import run_until, serve_forever
from tournee.bootstrap.up import UpOptions, open_up
from tournee.kit.errors import SetupError
from tournee.pipeline.importing import ImportRequest
from tournee.pipeline.store.mailboxes import Owner
from tournee.reports import ImportSummary, Progress
from tournee.settings import Settings
from tournee_sandbox.faults import write_faults
from tournee_sandbox.mailbox import SampleMailbox, write_sample_mailbox
from tournee_sandbox.mailbox.people import PEOPLE, Person

ADMINISTRATOR = "admin@tournee.example"
LANGUAGES = {"bruno": "fr", "chloe": "fr"}
MARK = ".demo"
ASIDE = ".old-"
SIMULATED = ("smtp_url", "discord_webhook_url")
ON_ITS_OWN: Mapping[str, object] = dict.fromkeys(("database_url", "redis_url", "log_dir", *SIMULATED))
"""A demo never touches the servers that real mail and real alerts go through, whatever the environment names."""
ON_ITS_OWN_VARIABLES = {f"TOURNEE_{name.upper()}": "" for name in ON_ITS_OWN if name not in SIMULATED}
TRICKLE_SECONDS = 2.0
"""Between two mails of the last mailbox, when somebody watches."""


async def run_demo(
    settings: Settings, *, once: bool, announce: Announce, watch: Watch, stop: asyncio.Event
) -> ImportSummary:
    """Stack, sandbox and sample mailbox. `once`: returns when all is processed, else when `stop` is set."""
    summary = await run_until(stop, _show(settings, announce, watch, once=once))
    return summary or ImportSummary()


async def _show(settings: Settings, announce: Announce, watch: Watch, *, once: bool) -> ImportSummary:
    home = settings.home / "demo"
    check_home(home)
    async with AsyncExitStack() as stack:
        stack.enter_context(_hold_demo(settings.home))
        _empty_home(home)
        sandbox = await stack.enter_async_context(open_sandbox(home / "sandbox", home / "logs" / "sandbox.log"))
        sample = await asyncio.to_thread(write_sample_mailbox, home / "sample")
        faults = home / "sandbox" / "faults.json"
        write_faults(faults, sample.failing_message_ids)
        environment = {
            "TOURNEE_SMTP_URL": sandbox["smtp"]["url"],
            "TOURNEE_DISCORD_WEBHOOK_URL": sandbox["discord"]["url"],
            "TOURNEE_SANDBOX_FAULTS": str(faults),
            "TOURNEE_ADMIN_EMAILS": ADMINISTRATOR,
            "TOURNEE_MAIL_FROM": "tournee@tournee.example",
        }
        demo_settings = settings.model_copy(update={"home": home, **ON_ITS_OWN})
        options = UpOptions(DEMO_ROLE, {**environment, **ON_ITS_OWN_VARIABLES}, list_sandbox_addresses(sandbox))
        # What watches the servers tells the demo's own Discord, too: press "Kill Redis" and look there.
        told = demo_settings.model_copy(update={"discord_webhook_url": SecretStr(sandbox["discord"]["url"])})
        announce(await stack.enter_async_context(open_up(told, options)))
        opened = await stack.enter_async_context(join_stack(demo_settings, migrate=False))
        summary = await _import_all(opened, sample, watch, hurried=once)
        if not once:
            await serve_forever()
        return summary


@contextmanager
def _hold_demo(home: Path) -> Iterator[None]:
    """One demo at a time: the next one begins with emptying the folder."""
    make_home(home)
    try:
        with hold_lock(home / "run" / "demo.lock"):
            yield
    except LockHeld as held:
        raise SetupError(f"a demo runs already (process {held.holder}): stop it first, or set TOURNEE_HOME") from held


def _empty_home(home: Path) -> None:
    """The demo begins anew each time; nothing but what a demo made is ever in there."""
    if home.exists() and not (home / MARK).exists():
        raise SetupError(f"{home} was not made by a demo: move it away, or set TOURNEE_HOME to another folder")
    # Moved aside in one step first, so that a demo that is killed while it clears away can't block the next one.
    if home.exists():
        home.rename(home.with_name(f"{home.name}{ASIDE}{os.getpid()}"))
    for old in home.parent.glob(f"{home.name}{ASIDE}*"):
        shutil.rmtree(old, ignore_errors=True)
    make_home(home)
    (home / MARK).touch()


async def _import_all(opened: OpenStack, sample: SampleMailbox, watch: Watch, *, hurried: bool) -> ImportSummary:
    """Each person's mails into a mailbox of their own, side by side. Unhurried, the last one's arrive one by one."""
    people = list(PEOPLE.values())
    at_once = people if hurried else people[:-1]
    parts = await asyncio.gather(
        *(_import_part(opened, sample.folder / person.key, person, watch) for person in at_once)
    )
    whole = sum_up(parts)
    if not hurried:
        last = people[-1]
        for file in sorted(path for path in (sample.folder / last.key).rglob("*") if path.is_file()):
            await asyncio.sleep(TRICKLE_SECONDS)
            whole = sum_up([whole, await _import_part(opened, file, last, watch)])
    return whole


async def _import_part(opened: OpenStack, source: Path, person: Person, watch: Watch) -> ImportSummary:
    owner = Owner(person.key, person.address, LANGUAGES.get(person.key, "en"))
    return to_summary(await opened.run_import(ImportRequest(source, person.key), owner, _named(watch, person.key)))


def _named(watch: Watch, name: str) -> Watch:
    def show(progress: Progress) -> None:
        watch(Progress(f"{name}: {progress.stage}", progress.done, progress.total))

    return show


def sum_up(parts: Sequence[ImportSummary]) -> ImportSummary:
    """Counts added up; `seconds` is the longest, since parts run side by side."""
    figures = [asdict(part) for part in parts]
    total = {name: sum(figure[name] for figure in figures) for name in figures[0] if name != "seconds"}
    return ImportSummary(**total, seconds=max(part.seconds for part in parts))
