"""Log lines as an OpenTelemetry receiver gets them: with their spans, without secrets, and at nobody's expense."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog

from tests.support.otlp import Receiver, SeenLine
from tests.support.pipeline import Pipeline, write_newsletter
from tests.support.process_logging import restored_logging
from tournee.bootstrap.logs import configure_logs
from tournee.bootstrap.telemetry import Telemetry, open_telemetry
from tournee.kit.errors import SetupError
from tournee.kit.logs.correlation import correlate
from tournee.kit.logs.pipeline import PIPELINE
from tournee.pipeline.importing import ImportRequest
from tournee.pipeline.ports import AnalysisRequest, Rejected
from tournee.settings import Settings

WARNING, ERROR = ("warning", 13), ("error", 17)
log = structlog.get_logger("tournee.tests.export")


@pytest.fixture(autouse=True)
def logging_configured(receiver: Receiver, tmp_path: Path) -> Iterator[None]:
    with restored_logging():
        # The lines are for the endpoint; thousands of them must not run across the test runner's own.
        configure_logs(Settings(home=tmp_path / "home"), level=logging.CRITICAL)
        yield


async def flush() -> None:
    assert await asyncio.to_thread(PIPELINE.flush, 30)


async def wait_for(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        await asyncio.sleep(0.02)


def only(lines: list[SeenLine]) -> SeenLine:
    [line] = lines
    return line


async def test_a_line_arrives_with_its_severity_its_fields_its_exception_and_who_said_it(
    receiver: Receiver, telemetry: Telemetry
) -> None:
    began = time.time()
    with correlate({"queue": "indexNews", "attempt": 2}):
        try:
            raise KeyError("gone")
        except KeyError:
            log.exception("a thing was lost", parts=["a", {"deep": True}], nothing=None, huge=2**80)
    logging.getLogger("somelibrary").warning("a library says %d", 3)
    await flush()

    line = only(receiver.find_lines("a thing was lost"))
    assert (line.severity, line.scope) == (ERROR, "tournee.tests.export")
    stack = line.attributes.pop("exception.stacktrace")
    assert "KeyError: 'gone'" in stack
    assert "test_log_export.py" in stack
    assert line.attributes == {
        "exception.type": "KeyError",
        "queue": "indexNews",
        "attempt": 2,
        "parts": ["a", {"deep": True}],
        "nothing": None,
        "huge": str(2**80),
    }
    assert began - 1 <= line.seconds <= time.time() + 1
    assert line.resource["service.name"] == "tournee"
    assert line.resource["tournee.role"] == "test"
    assert line.resource["service.instance.id"].endswith(f":{os.getpid()}")
    assert only(receiver.find_lines("a library says 3")).severity == WARNING


async def test_secrets_and_addresses_are_gone_before_a_line_leaves(receiver: Receiver, telemetry: Telemetry) -> None:
    secrets = {
        "webhook": "https://discord.com/api/webhooks/123456/AbC-dEf_secretpart",
        "bearer": "Authorization: Bearer abcdef123456",
        "url": "postgresql://user:hunter2@db.example/news",
        "person": "the mail of ann.person@example.org bounced",
    }
    try:
        raise ValueError(" ".join(secrets.values()))
    except ValueError:
        log.exception(
            "it failed: postgresql://user:hunter2@db.example/news",
            refresh_token="1//0abc",
            nested={"password": "hunter2"},
            **secrets,
        )
    await flush()

    [line] = [line for line in receiver.lines if line.body.startswith("it failed")]
    told = repr(line)
    for secret in ("secretpart", "abcdef123456", "hunter2", "ann.person", "1//0abc"):
        assert secret not in told
    assert line.body == "it failed: postgresql://[redacted]@db.example/news"


async def test_what_no_protocol_can_carry_takes_no_other_line_with_it(receiver: Receiver, telemetry: Telemetry) -> None:
    log.warning("half \ud800 a character", **{"na\udfffme": "va\udfff", "bytes": b"\xff\x00"})
    log.warning("endless", **{f"part{number}": "x " * 8_000 for number in range(20)})
    log.warning("an ordinary line")
    await flush()

    assert only(receiver.find_lines("half ? a character")).attributes["na?me"] == "va?"
    endless = only(receiver.find_lines("endless")).attributes
    assert len(repr(endless)) < 70_000
    assert endless["left_out"] == 20 - (len(endless) - 1)
    assert receiver.find_lines("an ordinary line")


async def test_a_line_bears_the_span_that_it_was_logged_in(receiver: Receiver, telemetry: Telemetry) -> None:
    with telemetry.spans.open_request("GET", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"):
        log.warning("in a request")
        with telemetry.spans.open_call("mistral", "analyse"):
            log.warning("in a call")
    log.warning("outside")
    log.warning("of a trace that nobody records", trace="1" * 32)
    assert telemetry.tracing is not None
    await asyncio.to_thread(telemetry.tracing.processor.force_flush)
    await flush()

    [call] = receiver.find("analyse mistral")
    assert (only(receiver.find_lines("in a call")).span_id, call.trace_id) == (
        call.span_id,
        "0af7651916cd43dd8448eb211c80319c",
    )
    within = only(receiver.find_lines("in a request"))
    assert (within.trace_id, within.span_id) == (call.trace_id, call.parent_id)
    outside, named = only(receiver.find_lines("outside")), only(receiver.find_lines("of a trace that nobody records"))
    assert (outside.trace_id, outside.span_id) == ("", "")
    assert (named.trace_id, named.span_id) == ("1" * 32, "")


async def test_a_failed_job_is_told_within_its_runs_span_without_what_its_mail_says(
    receiver: Receiver, telemetry: Telemetry, pipeline: Pipeline, mails: Path
) -> None:
    def refuse(request: AnalysisRequest) -> Exception:
        return Rejected("the mail of ann@example.org has no summary")

    pipeline.analyser.fault = refuse
    (mails / "1.eml").write_bytes(write_newsletter("Gardens"))
    await pipeline.start()
    await pipeline.importer.run(ImportRequest(mails, "import", notifies=True))
    await pipeline.stop()
    assert telemetry.tracing is not None
    await asyncio.to_thread(telemetry.tracing.processor.force_flush)
    await flush()

    runs = receiver.find("process processMails")
    lines = [*receiver.find_lines("attempt failed"), *receiver.find_lines("job is dead")]
    assert len(runs) == 3
    assert {(line.trace_id, line.span_id) for line in lines} == {(run.trace_id, run.span_id) for run in runs}
    assert {line.attributes["error"] for line in lines} == {"the mail of [e-mail] has no summary"}
    assert {line.attributes["queue"] for line in lines} == {"processMails"}


async def test_an_endpoint_that_hangs_holds_up_nobody_and_what_does_not_fit_is_counted(
    receiver: Receiver, telemetry: Telemetry
) -> None:
    receiver.hold()
    log.warning("first")
    await asyncio.to_thread(receiver.asked.wait, 30)
    assert receiver.asked.is_set()
    for number in range(6_000):
        PIPELINE.put(logging.INFO, "tournee.tests", {"event": f"filler {number}"})
    counts = PIPELINE.count()["otlp"]
    assert counts.dropped >= 6_000 - 4_096 - 256
    text = (await telemetry.exposition.render(""))[0].decode()
    assert f'tournee_log_lines_dropped_total{{log="otlp"}} {counts.dropped}.0' in text


async def test_an_end_waits_for_a_hanging_endpoint_no_longer_than_a_moment(receiver: Receiver, tmp_path: Path) -> None:
    async with open_telemetry(Settings(home=tmp_path / "home"), "test"):
        receiver.hold()
        log.warning("first")
        await asyncio.to_thread(receiver.asked.wait, 30)
    # It is over though nobody was answered; the exporter alone would have waited for its time-out, and tried again.
    assert not receiver.released.is_set()
    assert "otlp" not in PIPELINE.count()


async def test_what_is_queued_at_the_end_is_sent(receiver: Receiver, tmp_path: Path) -> None:
    async with open_telemetry(Settings(home=tmp_path / "home"), "test"):
        for number in range(300):
            log.warning("one of many", number=number)
    numbers = [line.attributes["number"] for line in receiver.find_lines("one of many")]
    assert numbers == list(range(300))
    # Together, not each for itself.
    assert receiver.requests.count("/v1/logs") <= 6


@pytest.mark.parametrize("status", [400, 500])
async def test_an_endpoint_that_refuses_costs_its_lines_only_and_is_told_once_it_takes_again(
    receiver: Receiver, telemetry: Telemetry, status: int
) -> None:
    receiver.status = status
    log.warning("refused")
    await wait_for(lambda: PIPELINE.count()["otlp"].dropped == 1)
    receiver.status = 200
    log.warning("taken")
    await flush()

    assert receiver.find_lines("taken")
    assert not receiver.find_lines("refused")
    told = only(receiver.find_lines("log lines were dropped"))
    assert (told.attributes["dropped"], told.attributes["log"]) == (1, "otlp")
    # What the exporter says of its own trouble is for the files: sent, it would feed itself.
    assert not [line for line in receiver.lines if line.scope.startswith("opentelemetry")]


async def test_what_a_child_has_sent_itself_is_not_sent_again(receiver: Receiver, telemetry: Telemetry) -> None:
    log.warning("a child's own", filed_already=True)
    log.warning("ours")
    await flush()
    assert receiver.find_lines("ours")
    assert not receiver.find_lines("a child's own")


@pytest.mark.parametrize(
    ("variable", "value", "traces", "lines"),
    [
        ("OTEL_LOGS_EXPORTER", "none", True, False),
        ("OTEL_TRACES_EXPORTER", "none", False, True),
        ("OTEL_SDK_DISABLED", "true", False, False),
    ],
)
async def test_each_of_the_two_can_be_switched_off(
    receiver: Receiver,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    value: str,
    traces: bool,
    lines: bool,
) -> None:
    monkeypatch.setenv(variable, value)
    async with open_telemetry(Settings(home=tmp_path / "home"), "test") as telemetry:
        assert (telemetry.tracing is not None, "otlp" in PIPELINE.count()) == (traces, lines)


async def test_lines_may_have_an_endpoint_of_their_own(
    receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", f"{receiver.url}/v1/logs")
    async with open_telemetry(Settings(home=tmp_path / "home"), "test") as telemetry:
        assert telemetry.tracing is None
        log.warning("alone")
        await flush()
        assert only(receiver.find_lines("alone")).span_id == ""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "collector:4318")
    with pytest.raises(SetupError, match="OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: collector:4318 is no http"):
        async with open_telemetry(Settings(home=tmp_path / "home"), "test"):
            pytest.fail("it opened")
