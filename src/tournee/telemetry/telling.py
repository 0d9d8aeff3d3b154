"""What became of what a process had to tell: alerts and log lines, by the counts that those rooms keep."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from tournee.alerts.service import AlertCounts
from tournee.kit.logs.sink import SinkCounts
from tournee.telemetry import catalogue
from tournee.telemetry.meters import Sample, Source, spread

ALERTS = (
    catalogue.ALERTS_TOLD,
    catalogue.ALERTS_SENT,
    catalogue.ALERTS_DROPPED,
    catalogue.ERRORS_RECORDED,
)
"""What has no figure until there is something to tell."""


def tell_of_alerts(count: Callable[[], AlertCounts]) -> Source:
    """A source of what was told, and what the channels did with it."""

    def read() -> Iterable[Sample]:
        counts = count()
        channels = counts.channels.items()
        return [
            *spread(catalogue.ALERTS_TOLD, counts.told),
            *spread(catalogue.ALERTS_SENT, {name: lane.sent for name, lane in channels}),
            *spread(catalogue.ALERTS_DROPPED, {name: lane.dropped for name, lane in channels}),
            *spread(catalogue.ERRORS_RECORDED, counts.monitor.recorded),
            (catalogue.INCIDENTS, (), counts.monitor.open_incidents),
        ]

    return read


def tell_of_logs(count: Callable[[], Mapping[str, SinkCounts]]) -> Source:
    """A source of what the logs took, and what they did not."""

    def read() -> Iterable[Sample]:
        counts = count().items()
        return [
            *spread(catalogue.LOG_LINES, {name: sink.written for name, sink in counts}),
            *spread(catalogue.LOG_LINES_DROPPED, {name: sink.dropped for name, sink in counts}),
        ]

    return read
