"""Traces as an OpenTelemetry receiver gets them: a newsletter's whole way, and what an endpoint can do to us."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.otlp import Receiver, SeenSpan
from tests.support.pipeline import Pipeline, write_newsletter
from tournee.bootstrap.telemetry import Telemetry, open_telemetry
from tournee.kit.errors import SetupError
from tournee.kit.trace import trace_id_of
from tournee.pipeline.importing import ImportRequest
from tournee.pipeline.ports import AnalysisRequest, Rejected
from tournee.settings import Settings

PRODUCER, CONSUMER, CLIENT = 4, 5, 3
QUEUES = ("fetchEmails", "processMails", "indexNews", "sendNotifications")


async def run_import(pipeline: Pipeline, folder: Path, *subjects: str) -> None:
    for number, subject in enumerate(subjects):
        (folder / f"{number}.eml").write_bytes(write_newsletter(subject))
    await pipeline.start()
    await pipeline.importer.run(ImportRequest(folder, "import", notifies=True))


async def flush(telemetry: Telemetry) -> None:
    assert telemetry.tracing is not None
    await asyncio.to_thread(telemetry.tracing.processor.force_flush)


def only(spans: list[SeenSpan]) -> SeenSpan:
    [span] = spans
    return span


async def test_one_trace_follows_a_newsletter_through_the_four_queues(
    receiver: Receiver, telemetry: Telemetry, pipeline: Pipeline, mails: Path
) -> None:
    await run_import(pipeline, mails, "Gardens", "Bridges")
    # A run's span ends after its commit, which is what an import waits for.
    await pipeline.stop()
    await flush(telemetry)

    trace_id = trace_id_of(
        await pipeline.pool.fetchval("SELECT trace_context FROM news.messages WHERE subject = 'Gardens'")
    )
    assert trace_id is not None
    message = only(receiver.find("process fetchEmails", trace_id))
    assert (message.parent_id, message.kind) == ("", CONSUMER)
    # The run that read the message read two, so it has a trace of its own, which the message's points to.
    [run] = [span for span in receiver.find("process fetchEmails") if span.span_id in message.links]
    assert run.trace_id != trace_id
    assert only(receiver.find("enqueue fetchEmails", run.trace_id)).span_id == run.parent_id
    parent = message
    for queue in QUEUES[1:]:
        enqueued = only(receiver.find(f"enqueue {queue}", trace_id))
        dispatched = only(receiver.find(f"dispatch {queue}", trace_id))
        processed = only(receiver.find(f"process {queue}", trace_id))
        assert (enqueued.parent_id, enqueued.kind) == (parent.span_id, PRODUCER)
        assert (dispatched.parent_id, dispatched.kind) == (enqueued.span_id, CLIENT)
        assert (processed.parent_id, processed.kind) == (enqueued.span_id, CONSUMER)
        job_id = await pipeline.pool.fetchval(
            "SELECT id::text FROM engine.jobs WHERE queue = $1 AND split_part(trace_context, '-', 2) = $2",
            queue,
            trace_id,
        )
        assert {span.attributes["messaging.message.id"] for span in (enqueued, dispatched, processed)} == {job_id}
        assert processed.attributes["tournee.job.outcome"] == "completed"
        parent = processed
    assert {span.trace_id for span in receiver.spans if span.parent_id == parent.span_id} == {trace_id}
    assert (
        only(receiver.find("analyse scripted", trace_id)).parent_id
        == only(receiver.find("process processMails", trace_id)).span_id
    )


async def test_spans_speak_the_words_of_the_messaging_conventions_and_tell_nothing_of_people(
    receiver: Receiver, telemetry: Telemetry, pipeline: Pipeline, mails: Path
) -> None:
    await run_import(pipeline, mails, "Secret gardens")
    await pipeline.stop()
    await flush(telemetry)

    types = {"enqueue": "create", "dispatch": "send", "process": "process"}
    messaging = [span for span in receiver.spans if "messaging.system" in span.attributes]
    assert {span.attributes["messaging.destination.name"] for span in messaging} == set(QUEUES)
    for span in messaging:
        operation = span.attributes["messaging.operation.name"]
        assert span.attributes["messaging.system"] == "tournee"
        assert span.attributes["messaging.operation.type"] == types[operation]
        assert span.name == f"{operation} {span.attributes['messaging.destination.name']}"
        assert span.resource["service.name"] == "tournee"
    told = repr([(span.name, span.attributes) for span in receiver.spans])
    assert not any(word in told for word in ("Secret", "gardens", "example.org", "example"))


async def test_a_failed_run_says_so_without_its_message(
    receiver: Receiver, telemetry: Telemetry, pipeline: Pipeline, mails: Path
) -> None:
    def refuse(request: AnalysisRequest) -> Exception:
        return Rejected("the mail of ann@example.org has no summary")

    pipeline.analyser.fault = refuse
    await run_import(pipeline, mails, "Gardens")
    await pipeline.stop()
    await flush(telemetry)

    runs = receiver.find("process processMails")
    assert [run.attributes["tournee.job.attempt"] for run in runs] == [1, 2, 3]
    assert [run.attributes["tournee.job.outcome"] for run in runs] == ["retried", "retried", "dead"]
    assert all(run.failed and run.attributes["error.type"] == "Rejected" for run in runs)
    assert len({run.parent_id for run in runs}) == 1
    assert "ann@example.org" not in repr(receiver.spans)


async def test_an_endpoint_that_hangs_holds_up_no_job_and_no_stop_and_what_is_lost_is_counted(
    receiver: Receiver, telemetry: Telemetry, pipeline: Pipeline, mails: Path
) -> None:
    receiver.hold()
    await run_import(pipeline, mails, "Gardens", "Bridges")
    assert telemetry.tracing is not None
    await asyncio.to_thread(receiver.asked.wait, 60)
    assert receiver.asked.is_set()

    tracer = telemetry.tracing.spans.tracer
    for _ in range(3_000):
        tracer.start_span("filler").end()
    assert telemetry.tracing.processor.dropped >= 3_000 - 2_048
    text = (await telemetry.exposition.render(""))[0].decode()
    assert f'tournee_spans_dropped_total{{reason="queue_full"}} {telemetry.tracing.processor.dropped}.0' in text
    ended = asyncio.create_task(telemetry.tracing.stop())
    # Far less than the endpoint would be waited for; it still hangs.
    await asyncio.wait_for(ended, 9)
    assert not receiver.released.is_set()


async def test_an_endpoint_that_is_away_costs_nothing_but_its_spans(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    async with open_telemetry(Settings(home=tmp_path / "home"), "test") as telemetry:
        assert telemetry.tracing is not None
        telemetry.tracing.spans.tracer.start_span("lost").end()
        counts = telemetry.tracing.processor.counts
        await wait_for(lambda: counts.failed == 1)
        assert counts.exported == 0


async def wait_for(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Look until it holds: another thread sets no event of this loop."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        await asyncio.sleep(0.02)


async def test_without_an_endpoint_nothing_of_opentelemetry_is_opened(telemetry: Telemetry) -> None:
    assert telemetry.tracing is None
    assert "tournee_spans" not in (await telemetry.exposition.render(""))[0].decode()


async def test_an_endpoint_that_is_no_address_is_refused_in_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318")
    with pytest.raises(SetupError, match="OTEL_EXPORTER_OTLP_ENDPOINT: collector:4318 is no http"):
        async with open_telemetry(Settings(home=tmp_path / "home"), "test"):
            pytest.fail("it opened")
