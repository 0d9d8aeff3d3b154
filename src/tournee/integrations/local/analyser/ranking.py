"""Ranking: how well each sentence stands for the whole mail.

TextRank over the bipartite graph of sentences and stems: one step of the walk goes from a sentence to its stems and
from there to the sentences that share them. That is the same walk as over the matrix of all pairs, in time linear
in the text's length.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

DAMPING = 0.85
"""Brin and Page's value, kept by TextRank (Mihalcea and Tarau 2004)."""

_STEPS = 20

Vector = Mapping[str, float]


def weigh_stems(stems_of_sentences: Sequence[Sequence[str]]) -> list[Vector]:
    """Each sentence as a unit vector of its stems, rare stems weighing more (tf-idf)."""
    document_count = len(stems_of_sentences)
    sentences_with = Counter(stem for stems in stems_of_sentences for stem in set(stems))
    vectors: list[Vector] = []
    for stems in stems_of_sentences:
        weights = {
            stem: (1 + math.log(count)) * math.log(1 + document_count / sentences_with[stem])
            for stem, count in Counter(stems).items()
        }
        length = math.sqrt(sum(weight * weight for weight in weights.values())) or 1.0
        vectors.append({stem: weight / length for stem, weight in weights.items()})
    return vectors


def rank_by_walk(vectors: Sequence[Vector]) -> list[float]:
    """TextRank scores, the highest being 1. Shared stems alone connect two sentences."""
    count = len(vectors)
    if count == 0:
        return []
    sums: defaultdict[str, float] = defaultdict(float)
    for vector in vectors:
        for stem, weight in vector.items():
            sums[stem] += weight
    degrees = [sum(weight * sums[stem] for stem, weight in vector.items()) or 1.0 for vector in vectors]
    scores = [1.0 / count] * count
    for _ in range(_STEPS):
        held: defaultdict[str, float] = defaultdict(float)
        for vector, score, degree in zip(vectors, scores, degrees, strict=True):
            for stem, weight in vector.items():
                held[stem] += weight * score / degree
        scores = [
            (1 - DAMPING) / count + DAMPING * sum(weight * held[stem] for stem, weight in vector.items())
            for vector in vectors
        ]
    highest = max(scores)
    return [score / highest for score in scores]


def measure_similarity(first: Vector, second: Vector) -> float:
    """Cosine of two unit vectors."""
    if len(second) < len(first):
        first, second = second, first
    return sum(weight * second.get(stem, 0.0) for stem, weight in first.items())
