"""Fit the weights of newsletter detection on the labelled corpus, and write them down as a table.

    TOURNEE_CORPUS=… python benchmarks/fit_detection.py          # shows the weights
    TOURNEE_CORPUS=… python benchmarks/fit_detection.py --write  # and writes core/detection/weights.py

Logistic regression drawn towards each rule's prior weight, each weight held on its rule's side: a rule that the
corpus says little of keeps what its author thought. Sources weigh by the square root of their size, so that one large
source does not decide alone. numpy serves here, offline; the shipped rules need none.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# On matrices as small as these threads only wait for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

from tests.support.bodies import wrap_body  # noqa: E402
from tournee.pipeline.core.detection.classification import RULES, find_confirmation, look_for  # noqa: E402
from tournee.pipeline.core.detection.evidence import Side  # noqa: E402
from tournee.pipeline.core.mail.reading import examine_mail  # noqa: E402

NAMES = [rule.name for rule in RULES]
PRIOR = np.array([rule.prior for rule in RULES])
PRIOR_BIAS = -3.5
PULL_TO_PRIOR = 3.0
STEPS = 100
NO_SHARE = 0.7
"""Of the weight of all samples: a wrong newsletter in the list disturbs more than a missed one."""
WEIGHTS_FILE = ROOT / "src/tournee/pipeline/core/detection/weights.py"


@dataclass(frozen=True)
class Sample:
    """One labelled message: how strongly each rule applies to it."""

    path: str
    source: str
    kind: str
    label: str
    subject: str
    strengths: np.ndarray
    is_confirmation: bool

    @property
    def is_newsletter(self) -> bool:
        return self.label == "yes"

    @property
    def is_raw(self) -> bool:
        """A mail as it was sent, not a body wrapped by us."""
        return self.kind == "eml"


@dataclass(frozen=True)
class Model:
    """A bias and one weight for each rule, in the order of NAMES."""

    bias: float
    weights: np.ndarray

    def rate(self, sample: Sample) -> float:
        """The logit; above nought is a newsletter, unless it is a confirmation."""
        return -9.0 if sample.is_confirmation else float(self.bias + sample.strengths @ self.weights)


def make_model(bias: float, weights: Mapping[str, float]) -> Model:
    """A model of weights by the names of rules; a rule that is not named weighs nothing."""
    return Model(bias, np.array([weights.get(name, 0.0) for name in NAMES]))


def find_corpus() -> Path:
    """The folder that TOURNEE_CORPUS names."""
    folder = os.environ.get("TOURNEE_CORPUS")
    if not folder:
        sys.exit("set TOURNEE_CORPUS to the folder of labelled mails")
    return Path(folder)


def load_samples(corpus: Path) -> list[Sample]:
    """Every row of the manifest, read and looked at by all rules; some seconds."""
    return list(_read_samples(corpus))


def _read_samples(corpus: Path) -> Iterator[Sample]:
    with (corpus / "MANIFEST.csv").open(newline="", encoding="utf-8") as manifest:
        for row in csv.DictReader(manifest):
            raw = (corpus / row["path"]).read_bytes()
            if row["kind"] != "eml":
                raw = wrap_body(raw, row["path"], subject="")
            evidence = examine_mail(raw)
            found = look_for(evidence)
            strengths = np.array([found[name].strength if name in found else 0.0 for name in NAMES])
            is_confirmation = find_confirmation(evidence) is not None
            source = row["source"].split(":")[0]
            yield Sample(
                row["path"], source, row["kind"], row["is_newsletter"], evidence.subject, strengths, is_confirmation
            )


def fit_model(samples: Sequence[Sample]) -> Model:
    """Fit on samples labelled yes or no. Deterministic."""
    known = [sample for sample in samples if sample.label in ("yes", "no")]
    matrix = np.hstack([np.ones((len(known), 1)), np.vstack([sample.strengths for sample in known])])
    labels = np.array([1.0 if sample.is_newsletter else 0.0 for sample in known])
    sizes = Counter((sample.source, sample.label) for sample in known)
    importance = np.array([1.0 / np.sqrt(sizes[sample.source, sample.label]) for sample in known])
    for label, share in ((0.0, NO_SHARE), (1.0, 1.0 - NO_SHARE)):
        chosen = labels == label
        importance[chosen] *= share * len(known) / max(importance[chosen].sum(), 1e-9)
    prior = np.concatenate([[PRIOR_BIAS], PRIOR])
    pull = np.concatenate([[0.05], np.full(len(NAMES), PULL_TO_PRIOR)])
    sides = np.array([0] + [1 if rule.side is Side.FOR else -1 for rule in RULES])
    weights = prior.copy()
    # An upper bound of the curvature makes each step safe; the projection holds each weight on its side.
    for _ in range(STEPS):
        probability = 1.0 / (1.0 + np.exp(-np.clip(matrix @ weights, -40, 40)))
        slope = matrix.T @ (importance * (probability - labels)) + pull * (weights - prior)
        curvature = (matrix * (importance * np.maximum(probability * (1 - probability), 0.02))[:, None]).T @ matrix
        moved = weights - 0.8 * np.linalg.solve(curvature + np.diag(pull), slope)
        moved = np.where(sides * moved < 0, 0.0, moved)
        has_settled = np.abs(moved - weights).max() < 1e-3
        weights = moved
        if has_settled:
            break
    return Model(float(weights[0]), weights[1:])


def render_table(model: Model) -> str:
    """The source of weights.py."""
    lines = [
        '"""The weight of each rule: written by `benchmarks/fit_detection.py`, not by hand."""',
        "",
        "from __future__ import annotations",
        "",
        "from collections.abc import Mapping",
        "from typing import Final",
        "",
        f"BIAS: Final = {model.bias:.2f}",
        "WEIGHTS: Final[Mapping[str, float]] = {",
        *(f'    "{name}": {weight + 0.0:.2f},' for name, weight in zip(NAMES, model.weights, strict=True)),
        "}",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="Fit the weights of newsletter detection.")
    parser.add_argument("--write", action="store_true", help="write core/detection/weights.py")
    arguments = parser.parse_args()
    model = fit_model(load_samples(find_corpus()))
    table = render_table(model)
    print(table)
    if arguments.write:
        WEIGHTS_FILE.write_text(table, encoding="utf-8")


if __name__ == "__main__":
    main()
