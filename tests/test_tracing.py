"""What an operator who switches OpenTelemetry on sees of the requests to the platform."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from mcp.shared.exceptions import MCPError
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from deeporigin_mcp.platform.transport.tracing import template_of
from tests.support.bench import ERAS, PROJECT, Agent, Bench, agent_of, bench_token, docking

pytestmark = pytest.mark.anyio

Spans = Callable[[], Sequence[ReadableSpan]]
EXECUTION = "GET /tools/{id}/tools/executions/{id}"


@pytest.fixture(scope="module")
def exporter() -> Iterator[InMemorySpanExporter]:
    """OpenTelemetry lets a process set its provider once; after this module it keeps nothing more."""
    made = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(made))
    trace.set_tracer_provider(provider)
    yield made
    provider.shutdown()


@pytest.fixture
def spans(exporter: InMemorySpanExporter) -> Spans:
    """The spans of requests to the platform, in the order of their ends."""
    exporter.clear()
    return lambda: [span for span in exporter.get_finished_spans() if scope_of(span) == "deeporigin_mcp"]


def scope_of(span: ReadableSpan) -> str:
    return span.instrumentation_scope.name if span.instrumentation_scope else ""


def server_span(exporter: InMemorySpanExporter, tool: str) -> ReadableSpan:
    (found,) = [
        span
        for span in exporter.get_finished_spans()
        if span.kind is SpanKind.SERVER and span.name == f"tools/call {tool}"
    ]
    return found


def is_child(span: ReadableSpan, parent: ReadableSpan) -> bool:
    return (
        span.parent is not None
        and span.context is not None
        and parent.context is not None
        and span.parent.span_id == parent.context.span_id
        and span.context.trace_id == parent.context.trace_id
    )


@pytest.mark.parametrize("mode", ERAS)
async def test_a_request_to_the_platform_is_a_span_under_the_call(
    bench: Bench, exporter: InMemorySpanExporter, spans: Spans, mode: str
) -> None:
    name = bench.seeded("Running")
    async with agent_of(bench.server(), mode=mode) as agent:
        await agent.read("get_execution", execution_id=name)
    (span,) = spans()
    assert (span.name, span.kind) == (EXECUTION, SpanKind.CLIENT)
    assert dict(span.attributes or {}) == {
        "http.request.method": "GET",
        "url.template": "/tools/{id}/tools/executions/{id}",
        "server.address": "127.0.0.1",
        "server.port": int(bench.base_url.rpartition(":")[2]),
        "http.response.status_code": 200,
    }
    assert span.status.status_code is StatusCode.UNSET
    assert is_child(span, server_span(exporter, "get_execution"))


async def test_each_retry_is_a_span_with_its_number(agent: Agent, bench: Bench, spans: Spans) -> None:
    name = bench.seeded("Running")
    bench.fault("GET */executions/* status=503 times=1")
    bench.fault("GET */executions/* reset times=1")
    await agent.read("get_execution", execution_id=name)
    told = [dict(span.attributes or {}) for span in spans()]
    assert [found.get("http.request.resend_count") for found in told] == [None, 1, 2]
    assert [found.get("http.response.status_code") for found in told] == [503, None, 200]
    assert [found.get("error.type") for found in told][::2] == ["503", None]
    assert told[1]["error.type"] in ("ReadError", "RemoteProtocolError")
    assert [span.status.status_code for span in spans()] == [StatusCode.ERROR, StatusCode.ERROR, StatusCode.UNSET]


async def test_work_that_outlasts_its_call_stays_in_its_trace(
    agent: Agent, bench: Bench, exporter: InMemorySpanExporter, spans: Spans
) -> None:
    await agent.read("create_execution", **docking())
    (sent,) = [span for span in spans() if span.name == "POST /tools/{id}/tools/{id}/{id}/executions"]
    assert is_child(sent, server_span(exporter, "create_execution"))


async def test_an_event_stream_is_a_span_until_it_is_open(agent: Agent, bench: Bench, spans: Spans) -> None:
    name = bench.platform.seed_executions(status="Running", project_id=PROJECT)[0]
    await agent.read("wait_executions", execution_ids=[name], timeout_seconds=20)
    opened = [span for span in spans() if span.name == "GET /sse/{id}/stream/{id}"]
    assert opened
    assert (opened[0].attributes or {})["http.response.status_code"] == 200
    assert opened[0].status.status_code is StatusCode.UNSET


async def test_no_span_holds_a_token_an_id_or_a_text(bench: Bench, spans: Spans) -> None:
    async with bench.agent(auto_approve_up_to=1, project_id=PROJECT) as agent:
        found = await agent.read("create_execution", **docking("CCCCCCCCCC"), name="Secret target", start=True)
        name = found["execution_id"]
        await agent.follow_to_the_end(found["next_step"])
        await agent.read("get_execution", execution_id=name, detail="detailed")
        await agent.refused("get_execution", execution_id="0ASECRET00001", source="data_platform")
        await agent.refused("cancel_execution", execution_id="../secret?x=1")
        await agent.read("search_executions", compute_job_id=name)
        await agent.read("get_workspace")
        await agent.refused("describe_platform_tool", tool_key="deeporigin.secret")
        bench.fault("* * reset")
        await agent.refused("get_execution", execution_id=name)
    assert len(spans()) > 20
    told = "".join(span.to_json() for span in spans())
    assert not [span for span in spans() if span.events]
    for secret in (bench_token(), name, "ecret", "CCCCCCCCCC", PROJECT, "Bearer", "filter"):
        assert secret not in told


async def test_a_call_s_log_line_names_its_trace(
    agent: Agent, bench: Bench, exporter: InMemorySpanExporter, spans: Spans, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "deeporigin_mcp.calls")
    await agent.read("list_executions")
    context = server_span(exporter, "list_executions").context
    assert context is not None
    assert trace.format_trace_id(context.trace_id) in caplog.records[-1].getMessage()


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("/tools/deeporigin/tools/executions/3f0c:confirm", "/tools/{id}/tools/executions/{id}:confirm"),
        ("/tools/protected/tools/definitions", "/tools/protected/tools/definitions"),
        ("/data-platform/acme/user_logs/search", "/data-platform/{id}/user_logs/search"),
        ("/tools/%2e%2e/clusters", "/tools/{id}/clusters"),
        ("", "/{id}"),
    ],
)
def test_a_path_is_told_by_the_platform_s_own_words_only(path: str, template: str) -> None:
    assert template_of(path) == template


async def test_the_platform_is_told_nothing_of_the_trace(bench: Bench, spans: Spans, monkeypatch: Any) -> None:
    import httpx

    sent: list[httpx.Headers] = []
    send = httpx.AsyncClient.send

    async def noted(client: httpx.AsyncClient, request: httpx.Request, **how: Any) -> httpx.Response:
        sent.append(request.headers)
        return await send(client, request, **how)

    monkeypatch.setattr(httpx.AsyncClient, "send", noted)
    async with bench.agent() as agent:
        await agent.read("list_executions")
    assert spans()
    assert sent
    assert not [name for headers in sent for name in headers if name in ("traceparent", "tracestate", "baggage")]


async def test_a_token_that_the_platform_repeats_is_in_no_span(
    agent: Agent, bench: Bench, exporter: InMemorySpanExporter
) -> None:
    token = bench_token()
    name = bench.raw(status="Failed", statusReason=f"Refused: {token}", name=token)
    await agent.read("get_execution", execution_id=name)
    await agent.client.read_resource(f"deeporigin://executions/{name}")
    with pytest.raises(MCPError):
        await agent.client.read_resource(f"deeporigin://executions/{token}")
    told = " ".join(span.to_json() for span in exporter.get_finished_spans())
    assert token[40:90] not in told
