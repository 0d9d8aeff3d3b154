"""The shared feed: no watcher is lost, none piles anything up, and it ends."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from tournee.web.feed import Feed
from tournee.web.sessions import Sessions
from tournee.web.snapshot import Snapshot


class Looks:
    """Counts the looks; each is a snapshot of its own."""

    def __init__(self) -> None:
        self.count = 0

    async def read(self) -> Snapshot:
        self.count += 1
        await asyncio.sleep(0)
        return Snapshot(self.count, datetime.now(UTC))


async def test_pages_that_come_together_share_one_look() -> None:
    looks = Looks()
    feed = Feed(looks.read, 60, 10)
    snapshots = await asyncio.gather(*(feed.read_latest() for _ in range(20)))
    assert looks.count == 1
    assert len({snapshot.number for snapshot in snapshots}) == 1


async def test_a_slow_watcher_misses_snapshots_and_gets_the_latest() -> None:
    looks = Looks()
    feed = Feed(looks.read, 60, 10)
    slow, quick = feed.watch(), feed.watch()
    assert (await anext(slow)).number == (await anext(quick)).number == 1
    for number in range(2, 7):
        feed.nudge()
        assert (await anext(quick)).number == number
    assert (await anext(slow)).number == 6
    await slow.aclose()
    await quick.aclose()
    await feed.stop()


async def test_a_nudge_looks_again_at_once() -> None:
    looks = Looks()
    feed = Feed(looks.read, 60, 10)
    watcher = feed.watch()
    await anext(watcher)
    feed.nudge()
    async with asyncio.timeout(60):
        assert (await anext(watcher)).number == 2
    await watcher.aclose()
    await feed.stop()


async def test_closing_ends_every_watcher_and_lets_no_new_one_in() -> None:
    feed = Feed(Looks().read, 60, 10)
    watchers = [feed.watch() for _ in range(3)]
    for watcher in watchers:
        await anext(watcher)
    ended = [asyncio.create_task(anext(watcher, None)) for watcher in watchers]
    await asyncio.sleep(0)
    feed.close()
    async with asyncio.timeout(60):
        assert await asyncio.gather(*ended) == [None, None, None]
    assert feed.is_full
    assert feed.watchers == 0
    await feed.stop()


async def test_nothing_is_read_once_the_last_watcher_has_gone() -> None:
    looks = Looks()
    feed = Feed(looks.read, 0.01, 10)
    watcher = feed.watch()
    await anext(watcher)
    await watcher.aclose()
    await asyncio.sleep(0.05)
    seen = looks.count
    await asyncio.sleep(0.05)
    assert looks.count == seen
    async for snapshot in feed.watch():
        if snapshot.number > seen + 1:
            break
    await feed.stop()


def test_a_short_access_token_is_refused() -> None:
    with pytest.raises(ValueError, match="128 random bits"):
        Sessions("too-short")


def test_a_session_proves_nothing_to_another_process() -> None:
    ours, theirs = Sessions("a" * 43), Sessions("b" * 43)
    session, cookie = ours.open_session()
    assert ours.read_session(cookie) == session
    assert theirs.read_session(cookie) is None
    assert not theirs.is_csrf_token(session, ours.make_csrf_token(session))
