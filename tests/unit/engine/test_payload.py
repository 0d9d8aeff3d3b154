"""From a typed payload to a row, and what is refused."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tournee.engine.core.errors import InvalidPayload, PayloadOutdated, UnknownKind
from tournee.engine.core.job import Enqueued, JobId, JobState, Priority
from tournee.engine.core.payload import Payload, read_payload, to_new_job


class Letter(Payload, queue="letters", kind="send-letter", version=3, max_attempts=5):
    number: int
    text: str = ""

    def key(self) -> str:
        return f"letter:{self.number}"


class Loose(Payload, queue="letters"):
    value: Any = None
    name: Any = "k"

    def key(self) -> str:
        return str(self.name)


def test_a_payload_becomes_a_row_with_what_its_class_says() -> None:
    job = to_new_job(Letter(number=7), delay=timedelta(seconds=3), priority=Priority.URGENT, trace_context="t")

    assert (job.queue, job.kind, job.version, job.max_attempts) == ("letters", "send-letter", 3, 5)
    assert (job.key, job.tenant, job.payload) == ("letter:7", "", {"number": 7, "text": ""})
    assert (job.delay, job.priority, job.trace_context) == (timedelta(seconds=3), Priority.URGENT, "t")


def test_a_kind_is_named_after_its_class_where_nothing_else_is_said() -> None:
    assert to_new_job(Loose()).kind == "Loose"


def test_a_field_that_nobody_declared_is_refused() -> None:
    with pytest.raises(ValueError, match="extra"):
        Letter(number=1, colour="red")  # type: ignore[call-arg]


@pytest.mark.parametrize("text", ["\x00", "a\x00b", "\\\x00"])
def test_a_nul_is_refused(text: str) -> None:
    with pytest.raises(InvalidPayload, match="NUL"):
        to_new_job(Loose(value=text))


@pytest.mark.parametrize("text", ["\\u0000", "\\\\u0000", "u0000", "é\t\n\x7f"])
def test_what_only_looks_like_a_nul_is_not_refused(text: str) -> None:
    assert to_new_job(Loose(value=text)).payload["value"] == text


@pytest.mark.parametrize("key", ["", "k" * 256, "a\x00", "\ud800"])
def test_a_key_must_be_storable_text_of_bounded_length(key: str) -> None:
    with pytest.raises(InvalidPayload, match="key"):
        to_new_job(Loose.model_construct(name=key))


def test_a_payload_is_bounded_in_bytes_and_not_in_characters() -> None:
    to_new_job(Letter(number=1, text="x" * 31_000))
    with pytest.raises(InvalidPayload, match="larger"):
        to_new_job(Letter(number=1, text="é" * 16_000))


@pytest.mark.parametrize("state", list(JobState))
def test_an_answer_succeeded_unless_the_row_is_dead_or_cancelled(state: JobState) -> None:
    answer = Enqueued(JobId(1), created=False, state=state)

    assert answer.succeeded is (state not in (JobState.DEAD, JobState.CANCELLED))


class Parcel(Payload, queue="letters", kind="send-parcel", version=3):
    """Version 1 had `to`, version 2 `recipient`, version 3 has many."""

    recipients: list[str]

    def key(self) -> str:
        return self.recipients[0]

    @classmethod
    def upgrade(cls, data: dict[str, Any], version: int) -> dict[str, Any]:
        if version == 1:
            data["recipient"] = data.pop("to")
        data["recipients"] = [data.pop("recipient")]
        return data


def test_an_older_payload_is_brought_to_the_present_version() -> None:
    stored = {"to": "ann"}
    assert read_payload(Parcel, stored, 1) == Parcel(recipients=["ann"])
    assert read_payload(Parcel, {"recipient": "ben"}, 2) == Parcel(recipients=["ben"])
    assert read_payload(Parcel, {"recipients": ["cem"]}, 3) == Parcel(recipients=["cem"])
    assert stored == {"to": "ann"}, "the row's own payload is left alone"


def test_an_older_payload_without_an_upgrade_says_what_to_write() -> None:
    with pytest.raises(PayloadOutdated, match=r"of version 2, Letter of version 3: define Letter.upgrade"):
        read_payload(Letter, {"number": 1}, 2)


def test_a_newer_payload_is_left_to_a_process_that_knows_it() -> None:
    with pytest.raises(UnknownKind, match="version 4 is newer"):
        read_payload(Parcel, {"anything": 1}, 4)


def test_what_an_upgrade_answers_is_validated() -> None:
    with pytest.raises(ValueError, match="recipients"):
        read_payload(Parcel, {"recipient": 7}, 2)
