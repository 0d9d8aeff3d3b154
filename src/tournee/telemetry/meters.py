"""The process's own meters: counters and histograms made from the catalogue, and figures read when asked for.

Owns one registry of `prometheus_client`. Importing this imports that library, so only processes that serve do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, disable_created_metrics
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from tournee.telemetry.catalogue import Kind, Metric

Family: TypeAlias = CounterMetricFamily | GaugeMetricFamily
Sample: TypeAlias = tuple[Metric, tuple[str, ...], float]
"""A metric, the values of its labels, and its figure."""
Source: TypeAlias = Callable[[], Iterable[Sample]]
"""Answers at once, from memory."""


class Meters:
    """What one process counts, and what it can say of itself at once."""

    def __init__(self) -> None:
        # When each series began is told by nobody's queries, and would double them.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=self.registry)
        self._sources = Sources()
        self.registry.register(self._sources)

    def count(self, metric: Metric) -> Counter:
        """A counter of the catalogue; once per process."""
        assert metric.kind is Kind.COUNTER
        return Counter(metric.name, metric.help, metric.labels, registry=self.registry)

    def measure(self, metric: Metric) -> Histogram:
        """A histogram of the catalogue; once per process."""
        assert metric.kind is Kind.HISTOGRAM
        return Histogram(metric.name, metric.help, metric.labels, registry=self.registry, buckets=metric.buckets)

    def add_source(self, source: Source, *metrics: Metric) -> None:
        """Figures that somebody else keeps; read with each scrape, in a thread. `metrics` are named to Prometheus also
        while there is no figure.
        """
        self._sources.add(source, metrics)


class Sources(Collector):
    """Asks every source when Prometheus asks; one that fails is left out."""

    def __init__(self) -> None:
        self._sources: list[Source] = []
        self._metrics: list[Metric] = []

    def add(self, source: Source, metrics: Iterable[Metric]) -> None:
        self._sources.append(source)
        self._metrics += metrics

    def collect(self) -> Iterable[Family | HistogramMetricFamily]:
        """See `prometheus_client`."""
        samples: list[Sample] = []
        for source in self._sources:
            try:
                samples += source()
            except Exception:  # noqa: S112 - what is asked for still gets all the rest
                continue
        return make_families(samples, self._metrics)


def make_families(samples: Iterable[Sample], metrics: Iterable[Metric] = ()) -> list[Family]:
    """Samples as Prometheus' families, one of each metric; of `metrics` also without a sample."""
    families = {metric.name: _make_family(metric) for metric in metrics}
    for metric, labels, figure in samples:
        family = families.get(metric.name)
        if family is None:
            families[metric.name] = family = _make_family(metric)
        family.add_metric(labels, figure)
    return list(families.values())


def _make_family(metric: Metric) -> Family:
    make = CounterMetricFamily if metric.kind is Kind.COUNTER else GaugeMetricFamily
    return make(metric.name, metric.help, labels=metric.labels)


def flag_states(metric: Metric, subject: str, states: Iterable[str], current: str) -> list[Sample]:
    """One sample for each state: 1 for the one that is, 0 for the others."""
    return [(metric, (subject, state), float(state == current)) for state in states]


def spread(metric: Metric, figures: Mapping[str, float], *labels: str) -> list[Sample]:
    """One sample for each entry, whose name is the last label."""
    return [(metric, (*labels, name), figure) for name, figure in figures.items()]
