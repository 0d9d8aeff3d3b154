"""The catalogue of metrics: Prometheus' conventions, and that documents, dashboard and rules speak of it alone."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.support.monitoring_files import (
    FOLDER,
    list_metric_names,
    list_queries,
    list_rule_expressions,
    read_dashboard,
)
from tests.support.prometheus import PrometheusMissing, find_program
from tournee.telemetry.catalogue import METRICS, Kind, Metric

GUIDE = Path(__file__).resolve().parents[3] / "docs" / "how-to" / "monitoring.md"
BOUNDED_LABELS = {
    *("queue", "kind", "state", "outcome", "provider", "call", "store", "method", "route", "status", "reason"),
    *("class", "direction", "quantile", "channel", "condition", "source", "log"),
}
NAMES = {metric.name for metric in METRICS}
OF_THE_LIBRARY = {"process_cpu_seconds_total", "process_resident_memory_bytes"}


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_a_metric_keeps_the_conventions(metric: Metric) -> None:
    assert re.fullmatch(r"tournee_[a-z]+(_[a-z]+)*", metric.name)
    assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER)
    assert not re.search(r"_(ms|milliseconds|minutes|hours|kb|mb|percent)\b", metric.name)
    if metric.kind is Kind.HISTOGRAM:
        assert metric.buckets == tuple(sorted(metric.buckets))
        assert metric.name.endswith("_seconds") or metric.name == "tournee_job_attempts"
    assert set(metric.labels) <= BOUNDED_LABELS
    assert metric.help.endswith(".")


def test_no_two_metrics_share_a_name() -> None:
    assert len(NAMES) == len(METRICS)


def test_the_guide_tells_of_every_metric_what_the_catalogue_says() -> None:
    rows = re.findall(
        r"^\| `(tournee_\w+)` \| (\w+) \| ([^|]*) \| ([^|]*) \| ([^|]*) \|$", GUIDE.read_text("utf-8"), re.M
    )
    told = {name: (kind, labels.strip(), scope.strip(), text.strip()) for name, kind, labels, scope, text in rows}
    assert told == {
        metric.name: (
            metric.kind.value,
            ", ".join(f"`{label}`" for label in metric.labels),
            metric.scope.value,
            metric.help,
        )
        for metric in METRICS
    }


def test_panels_and_rules_ask_for_metrics_that_there_are() -> None:
    queries = [query for _, query in list_queries()]
    assert len(queries) > 40
    rules = list_rule_expressions()
    assert len(rules) == (FOLDER / "tournee.rules.yml").read_text("utf-8").count("- alert:")
    asked = set().union(*(list_metric_names(text) for text in [*queries, *rules]))
    assert asked - OF_THE_LIBRARY <= NAMES


def test_the_dashboards_panels_do_not_overlap_and_each_has_a_title() -> None:
    panels = read_dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        assert panel["title"]
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells


@pytest.mark.parametrize(
    "words",
    [
        ("check", "rules", "tournee.rules.yml"),
        ("test", "rules", "tournee.rules.test.yml"),
        ("check", "config", "--syntax-only", "prometheus.yml"),
    ],
    ids=" ".join,
)
def test_promtool_finds_nothing_wrong(words: tuple[str, ...]) -> None:
    try:
        program = find_program("promtool")
    except PrometheusMissing as missing:
        pytest.skip(str(missing))
    done = subprocess.run([program, *words], cwd=FOLDER, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
