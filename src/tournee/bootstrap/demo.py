"""The demo: the embedded stack, the sandbox and the sample mailbox, in a home of its own that is made anew.

What runs is the real thing; only the outside is simulated. The planted failure comes from the sandbox, around the
analyser's port.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import asdict
from pathlib import Path

from tournee.bootstrap.roles import Announce, UpOptions, list_sandbox_addresses, open_up
from tournee.bootstrap.stack import OpenStack, Watch, open_stack
from tournee.bootstrap.stores import read_stack
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
READY_SECONDS = 20.0
TRICKLE_SECONDS = 2.0
"""Between two mails of the last mailbox, when somebody watches."""


async def run_demo(
    settings: Settings, *, once: bool, announce: Announce, watch: Watch, stop: asyncio.Event
) -> ImportSummary:
    """Stack, sandbox and sample mailbox. `once`: returns when all is processed, else when `stop` is set."""
    home = settings.home / "demo"
    if (running := read_stack(home)) is not None:
        raise SetupError(f"a demo runs already (process {running.pid}): stop it first, or set TOURNEE_HOME")
    _empty_home(home)
    async with AsyncExitStack() as stack:
        sandbox = await stack.enter_async_context(_open_sandbox(home / "sandbox"))
        sample = await asyncio.to_thread(write_sample_mailbox, home / "sample")
        faults = home / "sandbox" / "faults.json"
        write_faults(faults, sample.failing_message_ids)
        environment = {
            "TOURNEE_SMTP_URL": sandbox["smtp"]["url"],
            "TOURNEE_SANDBOX_FAULTS": str(faults),
            "TOURNEE_ADMIN_EMAILS": ADMINISTRATOR,
            "TOURNEE_MAIL_FROM": "tournee@tournee.example",
        }
        demo_settings = settings.model_copy(update={"home": home})
        options = UpOptions("demo", environment, demo=True, more_addresses=list_sandbox_addresses(sandbox))
        announce(await stack.enter_async_context(open_up(demo_settings, options)))
        opened = await stack.enter_async_context(open_stack(demo_settings, migrate=False))
        summary = await _until(stop, _import_all(opened, sample, watch, hurried=once))
        if not once:
            await stop.wait()
        return summary or ImportSummary()


def _empty_home(home: Path) -> None:
    """The demo begins anew each time; nothing but what a demo made is ever in there."""
    if home.exists() and not (home / ".demo").exists():
        raise SetupError(f"{home} was not made by a demo: move it away, or set TOURNEE_HOME to another folder")
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True, mode=0o711)
    home.chmod(0o711)
    (home / ".demo").touch()


@asynccontextmanager
async def _open_sandbox(home: Path) -> AsyncIterator[Mapping[str, Mapping[str, str]]]:
    """The simulators as a process of their own, which ends with this one."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tournee_sandbox", "--home", str(home), "--json", "--parent", str(os.getpid())),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), READY_SECONDS)
        if not line:
            raise SetupError("the sandbox did not start: see the message above")
        # Beside the simulators stand words about the process itself.
        yield {name: value for name, value in json.loads(line).items() if isinstance(value, dict)}
    finally:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        await process.wait()


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
    outcome = await opened.run_import(ImportRequest(source, person.key), owner, _named(watch, person.key))
    return ImportSummary(**outcome.summary.as_object())  # type: ignore[arg-type]


def _named(watch: Watch, name: str) -> Watch:
    def show(progress: Progress) -> None:
        watch(Progress(f"{name}: {progress.stage}", progress.done, progress.total))

    return show


def sum_up(parts: Sequence[ImportSummary]) -> ImportSummary:
    """Counts added up; `seconds` is the longest, since parts run side by side."""
    figures = [asdict(part) for part in parts]
    total = {name: sum(figure[name] for figure in figures) for name in figures[0] if name != "seconds"}
    return ImportSummary(**total, seconds=max(part.seconds for part in parts))


async def _until(stop: asyncio.Event, work: Awaitable[ImportSummary]) -> ImportSummary | None:
    """The work's answer, or None when `stop` is set before it is done."""
    task = asyncio.ensure_future(work)
    stopped = asyncio.ensure_future(stop.wait())
    await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
    for pending in (task, stopped):
        if not pending.done():
            pending.cancel()
    await asyncio.gather(stopped, return_exceptions=True)
    if task.cancelled() or not task.done():
        await asyncio.gather(task, return_exceptions=True)
        return None
    return task.result()
