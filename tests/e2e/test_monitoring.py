"""The whole of monitoring as an operator runs it: `up`, a real Prometheus, the dashboard's queries, and a trace that
crosses processes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from tests.support.commands import run_command, serve_command
from tests.support.monitoring_files import FOLDER, list_metric_names, list_queries, list_rule_expressions
from tests.support.otlp import Receiver, open_receiver
from tests.support.pipeline import write_newsletter
from tests.support.prometheus import Prometheus, PrometheusMissing, find_program, run_prometheus
from tournee.kit.ports import find_free_port, is_port_free

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

NEVER_HAPPENED = {
    "tournee_provider_outages_total",
    "tournee_alerts_told_total",
    "tournee_alerts_dropped_total",
    "tournee_errors_recorded_total",
}
"""What does not come about in this run, where all goes well."""


def find_ports(count: int) -> int:
    """The first of so many free ports in a row."""
    while True:
        first = find_free_port()
        if all(is_port_free(first + number) for number in range(count)):
            return first


def write_config(folder: Path, token: str, targets: list[str]) -> str:
    """The example's configuration, with this stack's addresses, in a hurry."""
    (folder / "token").write_text(token)
    text = (FOLDER / "prometheus.yml").read_text("utf-8")
    head, _, _ = text.partition("      - targets:\n")
    listed = "".join(f"          - {target}\n" for target in targets)
    return (
        head.replace("scrape_interval: 15s", "scrape_interval: 1s\n  evaluation_interval: 1s")
        .replace("/etc/prometheus/tournee.token", str(folder / "token"))
        .replace("- tournee.rules.yml", f"- {FOLDER / 'tournee.rules.yml'}")
        + f"      - targets:\n{listed}"
    )


async def wait_for(condition: Callable[[], Awaitable[bool]], seconds: float = 300.0, told: object = "") -> None:
    """Look until it holds: other processes set no event of ours."""
    deadline = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < deadline, f"it did not come about in time {told}"
        await asyncio.sleep(0.2)


async def read_names(targets: list[str], token: str) -> set[str]:
    """Every metric that any process tells of, by the type lines."""
    names: set[str] = set()
    async with httpx.AsyncClient(trust_env=False, headers={"authorization": f"Bearer {token}"}, timeout=60) as client:
        for target in targets:
            answer = await client.get(f"http://{target}/metrics")
            assert answer.status_code == 200, target
            names |= {line.split()[2] for line in answer.text.splitlines() if line.startswith("# TYPE")}
    return names


async def test_dashboard_and_rules_find_their_metrics_in_a_running_stack(home: Path, tmp_path: Path) -> None:
    try:
        program = find_program("prometheus")
    except PrometheusMissing as missing:
        pytest.skip(str(missing))
    mails = tmp_path / "mails"
    await asyncio.to_thread(write_mails, mails)
    first = find_ports(3)
    with open_receiver() as receiver:
        more = {
            "TOURNEE_METRICS_PORT": str(first),
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
            "OTEL_BSP_SCHEDULE_DELAY": "200",
            "NO_PROXY": "*",
        }
        async with serve_command("up", home=home, more=more) as up:
            base = up.addresses["console"].partition("/enter")[0].removeprefix("http://")
            token = await asyncio.to_thread((home / "run" / "metrics.token").read_text)
            targets = [base, *(f"127.0.0.1:{first + number}" for number in range(3))]
            config = await asyncio.to_thread(write_config, tmp_path, token, targets)
            async with run_prometheus(program, tmp_path, config) as prometheus:
                await wait_for(lambda: all_are_up(prometheus, len(targets)))
                done = await run_command("import", str(mails), "--notify", "--json", home=home, more=more, seconds=600)
                assert done.code == 0, done.stderr
                await wait_for(lambda: saw_all_runs(prometheus))
                await check_queries(prometheus)
                await check_rules(prometheus)
            names = await read_names(targets, token)
    asked = set().union(
        *(list_metric_names(text) for text in [*(q for _, q in list_queries()), *list_rule_expressions()])
    )
    assert asked <= names
    check_trace_crosses_processes(receiver)


def write_mails(folder: Path) -> None:
    folder.mkdir()
    for number in range(6):
        (folder / f"{number}.eml").write_bytes(write_newsletter(f"Issue {number}"))


async def all_are_up(prometheus: Prometheus, count: int) -> bool:
    return len(await prometheus.query('up{job="tournee"} == 1')) == count


async def saw_all_runs(prometheus: Prometheus) -> bool:
    """Two scrapes or more since the last run, or a rate has nothing to compare."""
    query = 'sum(min_over_time(tournee_job_runs_total{queue="sendNotifications", outcome="completed"}[3s])) >= 6'
    return len(await prometheus.query(query)) == 1


async def check_queries(prometheus: Prometheus) -> None:
    """Each panel's query finds something, some of them only once figures that are kept for a while are read again."""
    missing = [entry for entry in list_queries() if not list_metric_names(entry[1]) & NEVER_HAPPENED]

    async def all_found_something() -> bool:
        missing[:] = [(title, query) for title, query in missing if not await prometheus.query(query)]
        return not missing

    await wait_for(all_found_something, told=missing)
    for _, query in list_queries():
        await prometheus.query(query)
    [ledger] = await prometheus.query('sum(tournee_ledger_jobs{queue="indexNews", state="completed"})')
    assert float(ledger["value"][1]) == 6


async def check_rules(prometheus: Prometheus) -> None:
    async def are_evaluated() -> bool:
        rules = [rule for group in (await prometheus.ask("rules"))["groups"] for rule in group["rules"]]
        return len(rules) == len(list_rule_expressions()) and all(rule["health"] == "ok" for rule in rules)

    await wait_for(are_evaluated)
    firing = [alert["labels"] for alert in (await prometheus.ask("alerts"))["alerts"] if alert["state"] == "firing"]
    assert firing == []


def check_trace_crosses_processes(receiver: Receiver) -> None:
    """A newsletter's trace has spans of every process that did something for it."""
    sent = receiver.find("process sendNotifications")
    assert len(sent) == 6
    trace = [span for span in receiver.spans if span.trace_id == sent[0].trace_id]
    own = {span.span_id for span in trace}
    assert [span.name for span in trace if span.parent_id not in own] == ["process fetchEmails"]
    assert {span.name for span in trace} >= {"process processMails", "process indexNews", "analyse embedded"}
    every = {(span.resource["tournee.role"], span.resource["service.instance.id"]) for span in receiver.spans}
    assert {"worker", "command"} <= {role for role, _ in every}
