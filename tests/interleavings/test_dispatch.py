"""Claim, mark, sweep and return, against each other and against an operator, in every order."""

from __future__ import annotations

from functools import partial

from tests.interleavings.acts import (
    cancel,
    claim,
    claim_again,
    enqueue,
    give_back,
    half_open,
    mark,
    note_outage,
    note_success,
    pause,
    prune,
    sweep,
)
from tests.interleavings.conftest import RunRace
from tests.interleavings.ledger import ANN, BEN, PROVIDER, Ledger
from tournee.engine.ports import Room


async def test_two_claims_of_one_dispatch_start_it_once(race: RunRace, ledger: Ledger) -> None:
    allowed = {
        "ann claimed, ben found nothing: running dispatch 1 lease 1",
        "ann found nothing, ben claimed: running dispatch 1 lease 1",
    }
    await race(ledger.make_queued, allowed, ann=claim(ANN), ben=claim(BEN))


async def test_a_claim_that_was_given_up_and_the_one_after_it_start_it_once(race: RunRace, ledger: Ledger) -> None:
    """The worker did not wait for the answer; the server goes on with the claim, before, between or after its looks."""
    allowed = {
        "late claimed, worker read it again: running dispatch 1 lease 1",
        "late found nothing, worker claimed: running dispatch 1 lease 1",
    }
    await race(ledger.make_queued, allowed, late=claim(BEN), worker=claim_again(BEN))


async def test_a_dispatch_is_claimed_or_given_back(race: RunRace, ledger: Ledger) -> None:
    allowed = {
        "worker claimed, reconciler found nothing: running dispatch 1 lease 1",
        "worker found nothing, reconciler gave back: pending dispatch 1",
    }
    await race(ledger.make_queued, allowed, worker=claim(), reconciler=give_back)


async def test_an_older_dispatch_is_neither_claimed_nor_given_back(race: RunRace, ledger: Ledger) -> None:
    allowed = {"worker found nothing, reconciler found nothing: queued dispatch 2"}
    await race(ledger.make_queued_again, allowed, worker=claim(), reconciler=give_back)


async def test_a_dispatch_is_given_back_once(race: RunRace, ledger: Ledger) -> None:
    allowed = {
        "one gave back, other found nothing: pending dispatch 1",
        "one found nothing, other gave back: pending dispatch 1",
    }
    await race(ledger.make_queued, allowed, one=give_back, other=give_back)


async def test_a_dispatch_is_claimed_or_swept(race: RunRace, ledger: Ledger) -> None:
    """A claim under way is passed over by the sweep: it wins, or the comparison finds the row."""
    allowed = {
        "worker claimed, reconciler swept 0: running dispatch 1 lease 1",
        "worker found nothing, reconciler swept 1: pending dispatch 1",
    }
    await race(ledger.make_queued, allowed, worker=claim(), reconciler=sweep)


async def test_redis_is_recovered_once(race: RunRace, ledger: Ledger) -> None:
    allowed = {
        "one swept 1, other found it renewed: pending dispatch 1",
        "one found it renewed, other swept 1: pending dispatch 1",
    }
    await race(ledger.make_queued, allowed, one=sweep, other=sweep)


async def test_a_mark_beside_a_sweep_leaves_one_row(race: RunRace, ledger: Ledger) -> None:
    allowed = {
        "relay marked 0, reconciler swept 1: pending dispatch 1",
        "relay marked 1, reconciler swept 1: queued dispatch 2",
    }
    await race(ledger.make_queued, allowed, relay=mark(), reconciler=sweep)


async def test_a_mark_beside_a_return_leaves_one_row(race: RunRace, ledger: Ledger) -> None:
    allowed = {
        "relay marked 0, reconciler gave back: pending dispatch 1",
        "relay marked 1, reconciler gave back: queued dispatch 2",
    }
    await race(ledger.make_queued, allowed, relay=mark(), reconciler=give_back)


async def test_two_relays_fill_the_same_room_once(race: RunRace, ledger: Ledger) -> None:
    allowed = {
        "one marked 1, other marked 0: queued dispatch 1; pending",
        "one marked 0, other marked 1: queued dispatch 1; pending",
    }
    await race(partial(ledger.make_pending, jobs=2), allowed, one=mark(Room(1)), other=mark(Room(1)))


async def test_a_cancelled_job_stays_cancelled_whenever_it_was_promoted_and_marked(
    race: RunRace, ledger: Ledger
) -> None:
    allowed = {
        "relay marked 0, operator found it cancelled: cancelled asked",
        "relay marked 1, operator found it cancelled: cancelled dispatch 1 asked",
    }
    await race(ledger.make_scheduled, allowed, relay=mark(), operator=cancel)


async def test_a_cancelled_job_is_not_given_back(race: RunRace, ledger: Ledger) -> None:
    allowed = {
        "fetcher found nothing, operator found it cancelled: cancelled dispatch 1 asked",
        "fetcher gave back, operator found it cancelled: cancelled dispatch 1 asked",
    }
    await race(ledger.make_queued, allowed, fetcher=give_back, operator=cancel)


async def test_a_claim_comes_before_a_cancellation_or_not_at_all(race: RunRace, ledger: Ledger) -> None:
    allowed = {
        "worker claimed, operator found it running: running dispatch 1 lease 1 asked",
        "worker found nothing, operator found it cancelled: cancelled dispatch 1 asked",
    }
    await race(ledger.make_queued, allowed, worker=claim(), operator=cancel)


async def test_nothing_is_claimed_after_a_pause_was_committed(race: RunRace, ledger: Ledger) -> None:
    allowed = {
        "worker claimed, operator paused: running dispatch 1 lease 1",
        "worker found nothing, operator paused: queued dispatch 1",
    }
    await race(ledger.make_queued, allowed, worker=claim(), operator=pause)


# --- one row for a key


async def test_one_key_is_one_row(race: RunRace, ledger: Ledger) -> None:
    allowed = {"ann created, ben found it pending: pending", "ann found it pending, ben created: pending"}
    await race(ledger.make_empty, allowed, ann=enqueue(0), ben=enqueue(0))


async def test_two_keys_in_opposite_orders_do_not_deadlock(race: RunRace, ledger: Ledger) -> None:
    both, none = "created and created", "found it pending and found it pending"
    allowed = {f"ann {both}, ben {none}: pending; pending", f"ann {none}, ben {both}: pending; pending"}
    await race(ledger.make_empty, allowed, ann=enqueue(0, 1), ben=enqueue(1, 0))


async def test_a_key_that_is_pruned_meanwhile_is_found_or_created(race: RunRace, ledger: Ledger) -> None:
    allowed = {
        "ann created, pruner pruned 1: pending",
        "ann found it cancelled, pruner pruned 1: no row",
    }
    await race(ledger.make_old, allowed, ann=enqueue(0), pruner=prune)


# --- breakers


async def test_a_breaker_half_opens_once(race: RunRace, ledger: Ledger) -> None:
    allowed = {"one tried, other tried: pending dispatch 1; pending; pending"}
    await race(ledger.make_outage, allowed, one=half_open, other=half_open)


async def test_only_a_probe_is_in_flight_behind_a_half_open_breaker(race: RunRace, ledger: Ledger) -> None:
    """Never what was dispatched before the outage and a probe together."""
    allowed = {
        "relay tried, other marked 0: pending dispatch 1; pending; pending",
        "relay tried, other marked 1: pending dispatch 1; queued dispatch 1; pending",
    }
    await race(ledger.make_outage, allowed, relay=half_open, other=mark(Room(1, provider=PROVIDER)))


async def test_what_was_dispatched_before_an_outage_is_no_probe(race: RunRace, ledger: Ledger) -> None:
    allowed = {"relay tried, worker found nothing: pending dispatch 1; pending; pending"}
    await race(ledger.make_outage, allowed, relay=half_open, worker=claim())


async def test_an_outage_beside_the_half_opening_leaves_the_breaker_open(race: RunRace, ledger: Ledger) -> None:
    allowed = {
        "relay tried, worker found the breaker open: pending dispatch 1; pending; pending",
        "relay tried, worker found the breaker open: queued dispatch 1; pending; pending",
    }
    await race(ledger.make_outage, allowed, relay=half_open, worker=note_outage)
    [provider] = await ledger.store.read_providers()
    assert provider.state == "open"


async def test_a_straggler_s_success_does_not_close_an_open_breaker(race: RunRace, ledger: Ledger) -> None:
    allowed = {
        "relay tried, worker found the breaker closed: pending dispatch 1; pending; pending",
        "relay tried, worker found the breaker open: pending dispatch 1; pending; pending",
    }
    await race(ledger.make_outage, allowed, relay=half_open, worker=note_success)
