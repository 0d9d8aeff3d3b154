"""How well newsletters are told from other mail, on the labelled corpus.

    TOURNEE_CORPUS=… python benchmarks/detection.py [--json] [--disagreements]

Three figures: the shipped weights on the raw mails; the same with each source left out in turn (weights fitted
on all other sources, judged on that one), which is what to believe; and the recall on bodies wrapped into bare mails.
Rows labelled `unsure` are left out. The labels are heuristic: `--disagreements` lists what to look at.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.fit_detection import NAMES, Model, Sample, find_corpus, fit_model, load_samples, make_model

from tournee.pipeline.core.detection.weights import BIAS, WEIGHTS


@dataclass(frozen=True)
class Figures:
    """Counts of right and wrong, and what follows from them."""

    true_positive: int
    false_positive: int
    false_negative: int
    precision: float
    recall: float


def shipped_model() -> Model:
    """The weights of core/detection/weights.py."""
    return make_model(BIAS, WEIGHTS)


def judge(rated: Iterable[tuple[Sample, float]]) -> Figures:
    """Count what the ratings get right, against the labels."""
    pairs = [(sample.is_newsletter, logit > 0) for sample, logit in rated]
    hits = sum(1 for truth, said in pairs if truth and said)
    false = sum(1 for truth, said in pairs if said and not truth)
    missed = sum(1 for truth, said in pairs if truth and not said)
    return Figures(hits, false, missed, round(hits / max(1, hits + false), 3), round(hits / max(1, hits + missed), 3))


def rate_left_out(samples: Sequence[Sample]) -> list[tuple[Sample, float]]:
    """Each sample rated by weights that were fitted without its source."""
    rated: list[tuple[Sample, float]] = []
    for source in sorted({sample.source for sample in samples}):
        model = fit_model([sample for sample in samples if sample.source != source])
        rated += [(sample, model.rate(sample)) for sample in samples if sample.source == source]
    return rated


def select_raw(rated: Iterable[tuple[Sample, float]]) -> list[tuple[Sample, float]]:
    """Mails as they were sent, labelled yes or no."""
    return [(sample, logit) for sample, logit in rated if sample.is_raw and sample.label in ("yes", "no")]


def select_wrapped(rated: Iterable[tuple[Sample, float]]) -> list[tuple[Sample, float]]:
    """Bodies wrapped into bare mails."""
    return [(sample, logit) for sample, logit in rated if not sample.is_raw]


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="Precision and recall of newsletter detection.")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--disagreements", action="store_true", help="list what label and rules do not agree on")
    arguments = parser.parse_args()
    samples = load_samples(find_corpus())
    shipped = [(sample, shipped_model().rate(sample)) for sample in samples]
    left_out = rate_left_out(samples)
    report = {
        "shipped": asdict(judge(select_raw(shipped))),
        "source_left_out": asdict(judge(select_raw(left_out))),
        "wrapped": asdict(judge(select_wrapped(shipped))),
        "wrapped_source_left_out": asdict(judge(select_wrapped(left_out))),
    }
    print(json.dumps(report) if arguments.json else _render(report))
    if arguments.disagreements:
        for sample, logit in sorted(left_out, key=lambda pair: -abs(pair[1])):
            if sample.label in ("yes", "no") and (logit > 0) != sample.is_newsletter:
                fired = ", ".join(name for name, strength in zip(NAMES, sample.strengths, strict=True) if strength)
                print(f"{sample.label:3} {logit:6.2f} {sample.path} | {sample.subject[:60]} | {fired}", file=sys.stderr)


def _render(report: dict[str, dict[str, float]]) -> str:
    lines = [f"{'':26}{'precision':>10}{'recall':>8}{'right':>7}{'false':>7}{'missed':>8}"]
    for name, row in report.items():
        lines.append(
            f"{name:26}{row['precision']:10.3f}{row['recall']:8.3f}"
            f"{row['true_positive']:7}{row['false_positive']:7}{row['false_negative']:8}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
