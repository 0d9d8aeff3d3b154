"""What deploy/monitoring holds, as tests look at it: the dashboard's queries, the rules' expressions, their metrics."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "monitoring"
_NAME = re.compile(r"\b(?:tournee|process)_[a-z0-9_]+")
_EXPRESSION = re.compile(r"^ {8}expr: (?:>-\n((?: {10}.*\n)+)|(.*)\n)", re.MULTILINE)


def read_dashboard() -> Any:
    return json.loads((FOLDER / "grafana-dashboard.json").read_text(encoding="utf-8"))


def list_queries() -> Iterator[tuple[str, str]]:
    """Each panel's title with each of its queries, as Grafana would send them."""
    for panel in read_dashboard()["panels"]:
        for target in panel.get("targets", ()):
            query = target["expr"].replace("$job", "tournee").replace("$__rate_interval", "1m")
            yield panel["title"], query


def list_rule_expressions() -> list[str]:
    text = (FOLDER / "tournee.rules.yml").read_text(encoding="utf-8")
    return [(block or line).strip() for block, line in _EXPRESSION.findall(text)]


def list_metric_names(expression: str) -> set[str]:
    """The metrics of a query, without the parts that a histogram is made of."""
    return {re.sub(r"_(bucket|sum|count)$", "", name) for name in _NAME.findall(expression)} - {"tournee"}
