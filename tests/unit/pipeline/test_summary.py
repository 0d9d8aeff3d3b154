"""The equations of an import: nothing goes missing without being counted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tournee.pipeline.core.summary import ImportCounts, count_lost, make_summary

COUNTS = ImportCounts(
    waiting=0,
    syncing=False,
    newsletters=10,
    confirmations=1,
    others=4,
    unparsable=2,
    newsletter_rows=10,
    analysed=6,
    cache_hits=3,
    invalid=1,
    indexed=8,
    index_failed=1,
    deliveries_planned=0,
    notified=8,
    notices_waiting=0,
    not_mail=3,
    duplicates=2,
)
SEEN = 22


def test_an_import_in_which_all_is_accounted_for_loses_nothing() -> None:
    summary = make_summary(SEEN, COUNTS, failed=3, dead=2, seconds=1.23456)
    assert summary.lost == 0
    assert summary.accounted_for
    assert summary.messages == 17
    assert summary.seconds == 1.235


def test_the_summary_has_exactly_the_documented_words_in_order() -> None:
    words = "messages newsletters confirmations others unparsable analysed cache_hits invalid indexed notified"
    words += " duplicates not_mail failed dead lost seconds"
    assert list(make_summary(SEEN, COUNTS, failed=0, dead=0, seconds=0).as_object()) == words.split()


@pytest.mark.parametrize(
    ("seen", "counts"),
    [
        (SEEN + 1, COUNTS),
        (SEEN, replace(COUNTS, others=3)),
        (SEEN, replace(COUNTS, newsletter_rows=9, analysed=5)),
        (SEEN, replace(COUNTS, analysed=5)),
    ],
    ids=["a file without a row", "a message without a row", "a newsletter without a row", "one without an outcome"],
)
def test_what_no_row_accounts_for_is_lost(seen: int, counts: ImportCounts) -> None:
    assert count_lost(seen, counts) == 1
    assert not make_summary(seen, counts, failed=0, dead=0, seconds=0).accounted_for


def test_a_mail_that_is_still_staged_is_not_lost() -> None:
    assert count_lost(SEEN, replace(COUNTS, waiting=1, others=3)) == 0


@pytest.mark.parametrize(
    "counts",
    [
        replace(COUNTS, waiting=1, syncing=True),
        replace(COUNTS, indexed=7),
        replace(COUNTS, deliveries_planned=1),
        replace(COUNTS, notices_waiting=1),
    ],
)
def test_an_import_is_not_settled_while_anything_will_change(counts: ImportCounts) -> None:
    assert not counts.settled


def test_an_import_whose_fetch_died_is_settled() -> None:
    assert COUNTS.settled
    assert replace(COUNTS, waiting=1, syncing=False).settled
