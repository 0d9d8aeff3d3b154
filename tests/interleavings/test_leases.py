"""What a worker writes under its lease, against rescue, cancel and redrive, in every order: one of them wins."""

from __future__ import annotations

from functools import partial

from tests.interleavings.acts import (
    ask,
    ask_and_release,
    cancel,
    complete,
    complete_effect_free,
    discard,
    fail,
    mark_alone,
    park,
    redrive,
    redrive_with_enqueue,
    rescue,
    stop_cancelled,
)
from tests.interleavings.conftest import RunRace
from tests.interleavings.ledger import Ledger


async def test_a_job_is_completed_or_rescued(race: RunRace, ledger: Ledger) -> None:
    allowed = {
        "worker completed, rescuer found nothing: completed dispatch 1 lease 1",
        "worker lost its lease, rescuer rescued: pending dispatch 1 lease 1",
    }
    await race(ledger.make_orphaned, allowed, worker=complete, rescuer=rescue)


async def test_an_effect_free_job_is_completed_or_rescued(race: RunRace, ledger: Ledger) -> None:
    allowed = {
        "worker completed, rescuer found nothing: completed dispatch 1 lease 1",
        "worker found nothing, rescuer rescued: pending dispatch 1 lease 1",
    }
    await race(ledger.make_orphaned, allowed, worker=complete_effect_free, rescuer=rescue)


async def test_a_job_is_completed_or_buried(race: RunRace, ledger: Ledger) -> None:
    allowed = {
        "worker completed, rescuer found nothing: completed dispatch 1 lease 1 crashes 1",
        "worker lost its lease, rescuer buried: dead dispatch 1 lease 1 crashes 2",
    }
    await race(ledger.make_doomed, allowed, worker=complete, rescuer=rescue)


async def test_a_stale_failure_uses_no_attempt(race: RunRace, ledger: Ledger) -> None:
    allowed = {
        "worker failed, rescuer found nothing: pending dispatch 1 lease 1 attempt 1",
        "worker lost its lease, rescuer rescued: pending dispatch 1 lease 1",
    }
    await race(ledger.make_orphaned, allowed, worker=fail, rescuer=rescue)


async def test_a_job_is_parked_or_rescued(race: RunRace, ledger: Ledger) -> None:
    allowed = {
        "worker parked, rescuer found nothing: pending dispatch 1 lease 1",
        "worker found nothing, rescuer rescued: pending dispatch 1 lease 1",
    }
    await race(ledger.make_orphaned, allowed, worker=park, rescuer=rescue)


async def test_a_crash_is_charged_only_once_the_job_is_known_to_be_alone(race: RunRace, ledger: Ledger) -> None:
    allowed = {
        "worker is alone, rescuer found nothing: running dispatch 1 lease 1",
        "worker is alone, rescuer rescued: pending dispatch 1 lease 1 crashes 1",
        "worker lost its lease, rescuer rescued: pending dispatch 1 lease 1",
    }
    await race(ledger.make_orphaned, allowed, worker=mark_alone, rescuer=rescue)


async def test_a_job_is_rescued_once(race: RunRace, ledger: Ledger) -> None:
    allowed = {
        "one rescued, other found nothing: pending dispatch 1 lease 1",
        "one found nothing, other rescued: pending dispatch 1 lease 1",
    }
    await race(ledger.make_orphaned, allowed, one=rescue, other=rescue)


async def test_whoever_asks_after_a_lost_commit_waits_for_one_in_progress(race: RunRace, ledger: Ledger) -> None:
    allowed = {
        "worker completed, asker is told completed: completed dispatch 1 lease 1",
        "worker completed, asker is told running: completed dispatch 1 lease 1",
    }
    await race(ledger.make_running, allowed, worker=complete, asker=ask)


async def test_a_completion_that_was_given_up_and_a_release_after_it_leave_one_of_both(
    race: RunRace, ledger: Ledger
) -> None:
    """The worker did not wait for the answer, and asks; the server goes on with the completion at any time."""
    allowed = {
        "late completed, worker is told completed: completed dispatch 1 lease 1",
        "late completed, worker released nothing: completed dispatch 1 lease 1",
        "late found nothing, worker released it: pending dispatch 1 lease 1",
    }
    await race(ledger.make_running, allowed, late=complete_effect_free, worker=ask_and_release)


# --- operators


async def test_a_running_job_is_completed_though_somebody_asked_for_its_end(race: RunRace, ledger: Ledger) -> None:
    allowed = {
        "worker completed, operator found it running: completed dispatch 1 lease 1 asked",
        "worker completed, operator found nothing: completed dispatch 1 lease 1",
    }
    await race(ledger.make_running, allowed, worker=complete, operator=cancel)


async def test_a_retry_is_cancelled_or_knows_that_it_is_to_be(race: RunRace, ledger: Ledger) -> None:
    allowed = {
        "worker failed, operator found it cancelled: cancelled dispatch 1 lease 1 attempt 2 asked",
        "worker failed, operator found it running: pending dispatch 1 lease 1 attempt 2 asked",
    }
    await race(partial(ledger.make_running, failed=1), allowed, worker=fail, operator=cancel)


async def test_a_last_failure_beside_a_cancellation_is_a_dead_letter(race: RunRace, ledger: Ledger) -> None:
    allowed = {
        "worker buried, operator found it running: dead dispatch 1 lease 1 attempt 3 asked",
        "worker buried, operator found nothing: dead dispatch 1 lease 1 attempt 3",
    }
    await race(partial(ledger.make_running, failed=2), allowed, worker=fail, operator=cancel)


async def test_a_rescued_job_is_cancelled_or_knows_that_it_is_to_be(race: RunRace, ledger: Ledger) -> None:
    allowed = {
        "rescuer rescued, operator found it cancelled: cancelled dispatch 1 lease 1 asked",
        "rescuer rescued, operator found it running: pending dispatch 1 lease 1 asked",
        "rescuer found nothing, operator found it running: running dispatch 1 lease 1 asked",
    }
    await race(ledger.make_orphaned, allowed, rescuer=rescue, operator=cancel)


async def test_nothing_is_stopped_that_nobody_asked_to_stop(race: RunRace, ledger: Ledger) -> None:
    allowed = {
        "worker stopped, operator found it running: cancelled dispatch 1 lease 1 asked",
        "worker had nothing to stop, operator found it running: running dispatch 1 lease 1 asked",
    }
    await race(ledger.make_running, allowed, worker=stop_cancelled, operator=cancel)


async def test_a_dying_job_is_redriven_only_once_it_is_dead(race: RunRace, ledger: Ledger) -> None:
    allowed = {
        "worker buried, operator redrove: pending dispatch 1 lease 1",
        "worker buried, operator found nothing: dead dispatch 1 lease 1 attempt 3",
    }
    await race(partial(ledger.make_running, failed=2), allowed, worker=fail, operator=redrive)


async def test_the_lease_of_a_dead_job_completes_nothing_after_its_redrive(race: RunRace, ledger: Ledger) -> None:
    allowed = {"worker lost its lease, operator redrove: pending dispatch 1 lease 1"}
    await race(ledger.make_dead, allowed, worker=complete, operator=redrive)


async def test_a_dead_job_is_redriven_once(race: RunRace, ledger: Ledger) -> None:
    allowed = {
        "ann redrove, ben found nothing: pending dispatch 1 lease 1",
        "ann found nothing, ben redrove: pending dispatch 1 lease 1",
    }
    await race(ledger.make_dead, allowed, ann=redrive, ben=redrive)


async def test_what_a_redrive_enqueues_exists_only_if_it_took_place(race: RunRace, ledger: Ledger) -> None:
    allowed = {
        "ann redrove, ben found nothing: pending dispatch 1 lease 1; pending",
        "ann found nothing, ben redrove: pending dispatch 1 lease 1",
    }
    await race(ledger.make_dead, allowed, ann=redrive_with_enqueue, ben=redrive)


async def test_a_dead_job_is_redriven_or_discarded(race: RunRace, ledger: Ledger) -> None:
    allowed = {
        "ann redrove, ben found nothing: pending dispatch 1 lease 1",
        "ann found nothing, ben discarded: cancelled dispatch 1 lease 1 attempt 3",
    }
    await race(ledger.make_dead, allowed, ann=redrive, ben=discard)
