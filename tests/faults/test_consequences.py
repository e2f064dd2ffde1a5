"""Every failed creation and confirmation, whichever of its requests failed, says what it has done and what to call."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

import pytest
from mcp import Client

from deeporigin_mcp.server import create_server
from deeporigin_mcp.tools import idempotency
from tests.faults import proxy as faults
from tests.faults import test_matrix as matrix
from tests.faults.test_matrix import ADDRESS_FAULTS, ENDLESS, HTTP_FAULTS, PATIENT_SECONDS, Bench, arguments, read

pytestmark = pytest.mark.anyio

bench, _bounds = matrix.bench, matrix._bounds

PLACES = {
    "the tool": ("create_execution", "GET /tools/protected/tools/deeporigin.docking/latest"),
    "the key": ("create_execution", "GET /tools/deeporigin/tools/executions?"),
    "the cluster": ("create_execution", "clusters"),
    "the creation": ("create_execution", "POST /tools/deeporigin/tools/deeporigin.docking"),
    "the quote": ("confirm_execution", "GET /tools/deeporigin/tools/executions/"),
    "what is spent": ("confirm_execution", "GET /tools/deeporigin/tools/executions?"),
    "the confirmation": ("confirm_execution", "PATCH "),
}
NOTHING = {"create_execution": "Nothing was created", "confirm_execution": "Nothing was started"}
UNKNOWN = r"(Whether it was (created|started) is unknown|It is not known whether the platform did this)"


def assert_says_what_to_call(tool: str, given: dict[str, Any], text: str) -> None:
    start = " ".join(re.split(r"(?<=[.?!])\s+", text)[:2])
    unknown = re.search(UNKNOWN, start)
    assert (NOTHING[tool] in start) is not bool(unknown), text
    if "Not in your plan" in text:
        assert "Calling again gives the same answer" in text
        return
    if tool == "create_execution":
        again = f'call create_execution again with the same idempotency_key="{given["idempotency_key"]}"'
        assert re.search(rf"(In \d+ s|Then) {re.escape(again)}", text), text
        return
    called = ", ".join(f"{name}={json.dumps(value)}" for name, value in given.items())
    if unknown:
        assert f'get_execution(execution_id="{given["execution_id"]}") shows its state' in text
    assert f"call confirm_execution({called}" in text or "list_executions" in text, text


@pytest.mark.parametrize("fault", HTTP_FAULTS)
@pytest.mark.parametrize("place", PLACES)
async def test_what_was_done_is_said_first_and_the_call_that_is_named_works(
    place: str,
    fault: str,
    bench: Bench,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tool, target = PLACES[place]
    bench.proxy.heal()
    bench.paused.clear()
    settings = bench.settings(bench.proxy.base_url).model_copy(update={"budget": Decimal(1_000_000)})
    given = arguments(tool, bench)
    creates, confirms = len(bench.platform.creates), len(bench.platform.confirms)
    async with Client(create_server(settings, connect=bench.client)) as agent:
        bench.proxy.break_with(target, HTTP_FAULTS[fault])
        is_error, text = await read(agent, tool, given)
        assert bench.proxy.hits
        bench.proxy.heal()
        if not is_error:
            # What could not be read was not needed.
            return
        assert_says_what_to_call(tool, given, text)
        assert (len(bench.platform.creates), len(bench.platform.confirms)) == (creates, confirms)
        if fault in ENDLESS:
            monkeypatch.setattr(idempotency, "MAX_CALL_SECONDS", PATIENT_SECONDS)
            return
        is_error, text = await read(agent, tool, given)
    assert not is_error, text
    assert len(bench.platform.creates) == creates + (tool == "create_execution")
    assert len(bench.platform.confirms) == confirms + (tool == "confirm_execution")


@pytest.mark.parametrize("fault", [*ADDRESS_FAULTS, "TLS failure"])
@pytest.mark.parametrize("tool", NOTHING)
async def test_without_a_platform_nothing_was_done_and_the_call_is_named(
    tool: str,
    fault: str,
    bench: Bench,
) -> None:
    address = ADDRESS_FAULTS.get(fault, bench.proxy.base_url.replace("http:", "https:"))
    given = arguments(tool, bench)
    bench.paused.clear()
    async with Client(create_server(bench.settings(address), connect=bench.client)) as agent:
        is_error, text = await read(agent, tool, given)
    assert is_error
    assert NOTHING[tool] in text
    assert_says_what_to_call(tool, given, text)


@pytest.mark.parametrize("fault", ["as the platform says"])
@pytest.mark.parametrize("status", ["400 Bad Request", "409 Conflict", "503 Service Unavailable", "403 Forbidden"])
@pytest.mark.parametrize("place", ["the creation", "the confirmation"])
async def test_what_the_platform_says_of_it_does_not_stand_for_the_outcome(
    place: str, status: str, fault: str, bench: Bench
) -> None:
    tool, target = PLACES[place]
    said = "Nothing was created and it is not started; Nothing was started"
    given = arguments(tool, bench)
    bench.proxy.heal()
    async with Client(create_server(bench.settings(bench.proxy.base_url), connect=bench.client)) as agent:
        for content in ({"message": said}, {"code": "LICENSE.FEATURE_NOT_LICENSED", "title": said}):
            bench.proxy.break_with(target, faults.problem(status, **content))
            is_error, text = await read(agent, tool, given)
            assert is_error
            is_unknown = status.startswith("503") and "message" in content
            assert text.startswith("It is not known whether" if is_unknown else f"{NOTHING[tool]}")
            assert text.count("Nothing was created") > (tool == "create_execution" and not is_unknown)
