"""The queue and the thread of a log: nothing waits, nothing is lost silently."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from tournee.kit.logs.entry import Entry
from tournee.kit.logs.sink import Gather, NotTaken, Sink


def build_entry(event: str) -> Entry:
    return Entry(time.time(), 40, "test", {"event": event}, {})


class Place:
    """Where lines are written to; may be shut, or broken."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.open.set()
        self.entered = threading.Event()
        self.refused = threading.Event()
        self.broken = False
        self.events: list[str] = []
        self.drops: list[int] = []

    def write(self, entries: Sequence[Entry]) -> None:
        self.entered.set()
        assert self.open.wait(30)
        if self.broken:
            self.refused.set()
            raise OSError(28, "No space left on device")
        for entry in entries:
            event = entry.render()
            if "dropped" in event:
                self.drops.append(event["dropped"])
            else:
                self.events.append(event["event"])


def test_a_full_queue_drops_counts_and_tells_of_it_when_there_is_room() -> None:
    place = Place()
    sink = Sink("test", place.write, limit=10)
    place.open.clear()
    sink.start()
    sink.offer(build_entry("first"))
    assert place.entered.wait(30)
    for number in range(25):
        sink.offer(build_entry(str(number)))
    assert (sink.count().dropped, sink.count().waiting) == (15, 11)
    place.open.set()
    assert sink.flush(30)
    assert place.events == ["first", *map(str, range(10))]
    assert place.drops == [15]
    sink.offer(build_entry("after"))
    assert sink.flush(30)
    assert place.drops == [15]
    assert sink.count().written == 12
    sink.stop(5)


def test_what_can_not_be_written_is_held_and_written_later_in_its_order() -> None:
    place = Place()
    told: list[Exception] = []
    sink = Sink("test", place.write, limit=10, tell=told.append)
    place.broken = True
    sink.start()
    for number in range(30):
        sink.offer(build_entry(str(number)))
        if number == 0:
            assert place.refused.wait(30)
    place.broken = False
    assert sink.flush(30)
    assert place.events == [str(number) for number in range(len(place.events))]
    assert sum(place.drops) == 30 - len(place.events) == sink.count().dropped
    assert len(place.events) >= 11
    assert sink.count().failures >= 1
    assert not sink.count().failing
    assert len(told) == 1
    sink.stop(5)


def test_an_end_writes_what_is_queued() -> None:
    place = Place()
    sink = Sink("test", place.write)
    sink.start()
    for number in range(1_000):
        sink.offer(build_entry(str(number)))
    sink.stop(30)
    assert place.events == [str(number) for number in range(1_000)]


def test_an_end_with_a_broken_place_gives_up_at_once_and_counts() -> None:
    place = Place()
    place.broken = True
    sink = Sink("test", place.write)
    sink.start()
    for number in range(100):
        sink.offer(build_entry(str(number)))
    sink.stop(30)
    assert not any(thread.name == "log-test" for thread in threading.enumerate())
    assert sink.count().dropped == 100


def test_an_end_does_not_wait_for_a_place_that_hangs() -> None:
    place = Place()
    place.open.clear()
    sink = Sink("test", place.write)
    sink.start()
    sink.offer(build_entry("stuck"))
    assert place.entered.wait(30)
    sink.stop(0.01)
    assert not sink.flush(0.01)
    place.open.set()


def test_many_threads_lose_no_line_and_no_count() -> None:
    place = Place()
    sink = Sink("test", place.write, limit=500)
    sink.start()

    def offer(name: int) -> None:
        for number in range(2_000):
            sink.offer(build_entry(f"{name}-{number}"))

    threads = [threading.Thread(target=offer, args=[name]) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sink.flush(30)
    assert len(place.events) + sink.count().dropped == 16_000
    assert len(set(place.events)) == len(place.events)
    sink.stop(5)


def test_what_a_place_will_never_take_is_dropped_and_told_of_when_it_takes_again() -> None:
    place = Place()
    taken = threading.Event()
    refused = threading.Event()

    def write(entries: Sequence[Entry]) -> None:
        if not taken.is_set():
            refused.set()
            raise NotTaken("no")
        place.write(entries)

    sink = Sink("test", write)
    sink.start()
    sink.offer(build_entry("never"))
    assert sink.flush(30)
    assert refused.is_set()
    assert (sink.count().dropped, sink.count().failing) == (1, True)
    taken.set()
    sink.offer(build_entry("now"))
    assert sink.flush(30)
    assert place.events == ["now"]
    assert place.drops == [1]
    assert not sink.count().failing
    sink.stop(5)


def test_what_writing_itself_says_does_not_feed_itself() -> None:
    written: list[str] = []

    def write(entries: Sequence[Entry]) -> None:
        written.extend(str(entry.fields["event"]) for entry in entries)
        sink.offer(build_entry("I have written"))

    sink = Sink("test", write)
    sink.start()
    sink.offer(build_entry("a line"))
    assert sink.flush(30)
    assert sink.flush(30)
    assert written == ["a line"]
    sink.stop(5)


def test_lines_that_come_soon_after_each_other_are_written_together_and_an_end_waits_for_no_more() -> None:
    together: list[int] = []
    sink = Sink("test", lambda entries: together.append(len(entries)), gather=Gather(most=50, seconds=60.0))
    sink.start()
    for number in range(120):
        sink.offer(build_entry(str(number)))
    sink.stop(30)
    assert together == [50, 50, 20]
