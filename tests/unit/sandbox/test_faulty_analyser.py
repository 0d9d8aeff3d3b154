"""Faults planted around the analyser's port."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tournee.pipeline.ports import Analyser, Analysis, AnalysisRequest
from tournee_sandbox.faults import FAULTS_VARIABLE, FaultyAnalyser, load_faults, write_faults

ANALYSIS = Analysis("t", "s", "en", "en", (), (), (), 1, "newsletter")


class _Inner:
    name = "inner"
    cache_version = "7"
    provider: str | None = "someone"

    async def analyse(self, request: AnalysisRequest) -> Analysis:
        return ANALYSIS


def _request(message_id: str | None) -> AnalysisRequest:
    return AnalysisRequest(message_id, "subject", "sender", "text", ())


async def test_a_planted_newsletter_fails_each_time_as_an_answer_that_is_no_json() -> None:
    analyser: Analyser = FaultyAnalyser(_Inner(), {"<bad@x.example>"})
    for spelling in ("bad@x.example", "<bad@x.example>", " <bad@x.example> "):
        with pytest.raises(json.JSONDecodeError):
            await analyser.analyse(_request(spelling))


@pytest.mark.parametrize("message_id", ["<good@x.example>", "", None])
async def test_everything_else_passes_through(message_id: str | None) -> None:
    analyser = FaultyAnalyser(_Inner(), {"bad@x.example"})
    assert await analyser.analyse(_request(message_id)) is ANALYSIS


def test_it_is_named_cached_and_guarded_like_the_analyser_it_wraps() -> None:
    analyser = FaultyAnalyser(_Inner(), ())
    assert (analyser.name, analyser.cache_version, analyser.provider) == ("inner", "7", "someone")


def test_faults_are_read_back_from_the_file_that_the_environment_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_faults(tmp_path / "faults.json", {"b@x.example", "a@x.example"})
    monkeypatch.setenv(FAULTS_VARIABLE, str(tmp_path / "faults.json"))
    assert load_faults() == load_faults(tmp_path / "faults.json") == {"a@x.example", "b@x.example"}


def test_without_a_file_there_are_no_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(FAULTS_VARIABLE, raising=False)
    assert load_faults() == frozenset()


@pytest.mark.parametrize("content", ["[]", "{}", '{"failing_message_ids": "x"}', '{"failing_message_ids": [1]}', "{"])
def test_a_faults_file_that_cannot_be_meant_is_an_error(content: str, tmp_path: Path) -> None:
    (tmp_path / "faults.json").write_text(content)
    with pytest.raises(ValueError):
        load_faults(tmp_path / "faults.json")


def test_a_faults_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        load_faults(tmp_path / "absent.json")
