"""Keys: what makes two jobs, two analyses or two spans the same."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from tournee.kit.trace import new_traceparent, trace_id_of
from tournee.pipeline.core.cache_key import make_cache_key
from tournee.pipeline.core.payloads import (
    AnalyseNewsletter,
    IndexNewsletter,
    SendAdminNotice,
    SendDelivery,
    SyncMailbox,
)
from tournee.pipeline.core.text import clean_text, clip, to_single_line

parts = st.text(max_size=8)


@given(st.tuples(parts, parts, parts), st.tuples(parts, parts, parts))
def test_two_cache_keys_are_equal_only_for_equal_parts(one: tuple[str, str, str], other: tuple[str, str, str]) -> None:
    assert (make_cache_key(*one) == make_cache_key(*other)) == (one == other)


def test_the_jobs_of_a_mailbox_share_its_tenant() -> None:
    jobs = [
        SyncMailbox(mailbox_id=3, generation=9),
        AnalyseNewsletter(newsletter_id=1, mailbox_id=3),
        IndexNewsletter(newsletter_id=1, mailbox_id=3),
        SendDelivery(delivery_id=5, mailbox_id=3),
    ]
    assert {job.tenant() for job in jobs} == {"mailbox:3"}
    assert [job.key() for job in jobs] == ["3:9", "1", "1", "delivery:5"]
    assert SendAdminNotice(notice_id=5).key() == "notice:5"


def test_a_new_traceparent_starts_a_trace_and_a_child_stays_in_it() -> None:
    root = new_traceparent()
    child = new_traceparent(root)
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", root)
    assert trace_id_of(child) == trace_id_of(root)
    assert child != root
    assert trace_id_of(new_traceparent()) != trace_id_of(root)


def test_a_malformed_parent_starts_a_new_trace() -> None:
    for parent in ("", "nonsense", f"00-{'0' * 32}-{'1' * 16}-01", f"00-{'1' * 32}-{'0' * 16}-01"):
        assert trace_id_of(new_traceparent(parent)) is not None
    assert trace_id_of("nonsense") is None


@given(st.text(st.characters(exclude_categories=())), st.integers(1, 50))
def test_a_cleaned_line_is_one_line_that_can_be_stored(text: str, limit: int) -> None:
    line = to_single_line(text, limit)
    assert len(line) <= limit
    assert "\x00" not in clean_text(text)
    assert len(line.splitlines()) <= 1
    line.encode()


def test_what_is_clipped_says_so() -> None:
    assert clip("abcdef", 4) == "abc…"
    assert clip("abcd", 4) == "abcd"
