"""BullMQ's job ids, as the engine makes and reads them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tournee.engine.core.job import DispatchId, JobId


@given(job_id=st.integers(1, 2**63 - 1), dispatch=st.integers(1, 2**31 - 1))
def test_an_id_is_read_as_it_was_written(job_id: int, dispatch: int) -> None:
    entry = DispatchId(JobId(job_id), dispatch)

    assert DispatchId.parse(str(entry)) == entry


@pytest.mark.parametrize("text", ["", "1", "7-1", "j7", "j7-", "j-1", "j7-1 ", "x7-1", "j7:1", "j7-1-1", "d7-1"])
def test_what_the_engine_did_not_make_is_foreign(text: str) -> None:
    assert DispatchId.parse(text) is None


def test_ids_are_ordered_by_job() -> None:
    assert min([DispatchId(JobId(10), 1), DispatchId(JobId(9), 2)]).job_id == 9
