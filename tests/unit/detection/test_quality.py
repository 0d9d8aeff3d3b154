"""How well newsletters are told from other mail on the labelled corpus: the floors that no change may break."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from benchmarks.detection import judge, rate_left_out, select_raw, select_wrapped, shipped_model
from benchmarks.fit_detection import Sample, fit_model, load_samples

FLOOR = 0.85
WRAPPED_FLOOR = 0.9


@cache
def samples_of(folder: Path) -> list[Sample]:
    return load_samples(folder)


def test_shipped_weights_reach_the_floor_on_raw_mails(corpus: Path) -> None:
    model = shipped_model()
    figures = judge(select_raw((sample, model.rate(sample)) for sample in samples_of(corpus)))
    assert figures.true_positive + figures.false_negative == 198
    assert figures.precision >= FLOOR
    assert figures.recall >= FLOOR


def test_a_source_that_was_left_out_of_the_fit_reaches_the_floor(corpus: Path) -> None:
    figures = judge(select_raw(rate_left_out(samples_of(corpus))))
    assert figures.precision >= FLOOR
    assert figures.recall >= FLOOR


def test_bare_bodies_are_recognised_by_their_content(corpus: Path) -> None:
    model = shipped_model()
    figures = judge(select_wrapped((sample, model.rate(sample)) for sample in samples_of(corpus)))
    assert figures.true_positive + figures.false_negative == 124
    assert figures.recall >= WRAPPED_FLOOR


def test_the_shipped_weights_are_those_that_the_script_fits(corpus: Path) -> None:
    fitted, shipped = fit_model(samples_of(corpus)), shipped_model()
    assert abs(fitted.bias - shipped.bias) < 0.1
    assert max(abs(fitted.weights - shipped.weights)) < 0.1
