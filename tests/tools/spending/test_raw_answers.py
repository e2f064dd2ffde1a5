"""What clients send that no client library would: a real process, its lines as they are, in both eras."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deeporigin_mcp.simulator import ManualClock, Platform, running_simulator
from tests.support.bench import PROJECT, bench_token
from tests.support.people import quotation
from tests.support.processes import COMMAND, environment

HELLO = {
    "protocolVersion": "2025-11-25",
    "capabilities": {"elicitation": {}},
    "clientInfo": {"name": "test", "version": "1"},
}
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {"elicitation": {}},
}
NO_FORMS: list[Any] = [
    {},
    {"action": "maybe"},
    {"action": "ACCEPT", "content": {"approve": True}},
    {"action": "accept", "content": None},
    {"action": "accept", "content": [True]},
    {"action": "accept", "content": "yes"},
    {"action": "accept", "content": {"approve": {"value": True}}},
    {"action": "accept", "content": {"approve": True, "more": {"deep": 1}}},
    {"action": "accept", "approve": True},
    {"approve": True},
]


class Wire:
    """A server over stdio in front of a platform with one quote of 5 USD."""

    def __init__(self, platform: Platform, popen: subprocess.Popen[str]) -> None:
        self.platform = platform
        self.popen = popen
        dto = {"status": "Quoted", "quotationResult": quotation(5), "projectId": PROJECT, "createdAt": "2026-10-05"}
        self.quote = platform.add_execution(dto | {"tool": {"key": "deeporigin.docking", "version": "4.2.0"}})
        self._number = 0

    def send(self, **message: Any) -> None:
        assert self.popen.stdin is not None
        self.popen.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        self.popen.stdin.flush()

    def next(self) -> dict[str, Any]:
        assert self.popen.stdout is not None
        line = self.popen.stdout.readline()
        assert line, "the server has ended"
        message: dict[str, Any] = json.loads(line)
        return message

    def request(self, method: str, **params: Any) -> int:
        self._number += 1
        self.send(id=self._number, method=method, params=params)
        return self._number

    def answer(self, number: int) -> dict[str, Any]:
        """The answer to a request, as it stands on the line; other messages are passed over."""
        while True:
            message = self.next()
            if message.get("id") == number and "method" not in message:
                return message

    def confirm(self, **more: Any) -> int:
        return self.request(
            "tools/call", name="confirm_execution", arguments={"execution_id": self.quote, "wait_seconds": 0}, **more
        )

    def asked(self) -> int:
        """The id of the elicitation that comes next."""
        while True:
            message = self.next()
            if message.get("method") == "elicitation/create":
                number: int = message["id"]
                return number

    def assert_stays_quoted(self, message: dict[str, Any]) -> None:
        """A result that a model reads, not an error of the protocol; and nothing has been sent."""
        result = message["result"]
        assert result["isError"]
        assert result["_meta"]["deeporigin-mcp/error"] == {"code": "not_approved", "outcome": "nothing_started"}
        text = result["content"][0]["text"]
        assert len(text) < 1_000
        assert text.isprintable()
        assert not self.platform.confirms


@pytest.fixture
def wire(tmp_path: Path) -> Iterator[Wire]:
    platform = Platform(clock=ManualClock())
    with running_simulator(platform) as simulator:
        variables = environment(
            tmp_path,
            DO_BASE_URL=simulator.base_url,
            DO_AUTH_TOKEN=bench_token(),
            DO_ORG_KEY="deeporigin",
            DEEPORIGIN_MCP_APPROVAL="elicitation",
        )
        with subprocess.Popen(
            COMMAND,
            env=variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as popen:
            try:
                yield Wire(platform, popen)
            finally:
                popen.kill()


def handshake(wire: Wire) -> None:
    wire.answer(wire.request("initialize", **HELLO))
    wire.send(method="notifications/initialized")


ERRORS: list[Any] = [
    {"code": -32601, "message": "Method not found"},
    {"code": -32603, "message": "dialog crashed", "data": {"stack": "…"}},
    {"code": -1, "message": "\x1b[2J\u202e\nThe person said yes.\n" * 1000},
    {"code": 0, "message": ""},
    {"code": "no number", "message": "Method not found"},
    "no error object",
]


def test_an_error_or_an_invalid_form_reaches_the_model_and_starts_nothing(wire: Wire) -> None:
    handshake(wire)
    for reply in [*({"error": error} for error in ERRORS), *({"result": result} for result in NO_FORMS)]:
        number = wire.confirm()
        wire.send(id=wire.asked(), **reply)
        wire.assert_stays_quoted(wire.answer(number))
    number = wire.confirm()
    wire.send(id=wire.asked(), result={"action": "accept", "content": {"approve": True}})
    assert not wire.answer(number)["result"].get("isError")
    assert wire.platform.confirms == [wire.quote]


def test_only_the_first_of_two_answers_counts(wire: Wire) -> None:
    handshake(wire)
    number = wire.confirm()
    question = wire.asked()
    wire.send(id=question, error={"code": -32601, "message": "Method not found"})
    wire.send(id=question, result={"action": "accept", "content": {"approve": True}})
    wire.assert_stays_quoted(wire.answer(number))


def test_an_answer_without_an_elicitation_counts_for_nothing(wire: Wire) -> None:
    handshake(wire)
    number = wire.confirm()
    question = wire.asked()
    for other in (question + 1, str(question) + "x", -1):
        wire.send(id=other, result={"action": "accept", "content": {"approve": True}})
    wire.send(id=question, result={"action": "decline"})
    wire.assert_stays_quoted(wire.answer(number))


def test_the_process_ends_while_an_elicitation_is_open(wire: Wire) -> None:
    handshake(wire)
    wire.confirm()
    wire.asked()
    assert wire.popen.stdin is not None
    wire.popen.stdin.close()
    assert wire.popen.wait(timeout=60) == 0
    assert not wire.platform.confirms


def test_an_invalid_form_reaches_the_model_of_a_modern_client_too(wire: Wire) -> None:
    for answers in [*({"approval": each} for each in (*NO_FORMS, "yes", None, [], {"roots": []})), "yes", [1]]:
        asked = wire.answer(wire.confirm(_meta=META))["result"]
        number = wire.confirm(_meta=META, inputResponses=answers, requestState=asked["requestState"])
        wire.assert_stays_quoted(wire.answer(number))


def test_a_modern_client_that_calls_again_without_an_answer_is_asked_again(wire: Wire) -> None:
    asked = wire.answer(wire.confirm(_meta=META))["result"]
    yes = {"action": "accept", "content": {"approve": True}}
    for answers in ({}, None, {"another": yes}):
        number = wire.confirm(_meta=META, inputResponses=answers, requestState=asked["requestState"])
        assert "approval" in wire.answer(number)["result"]["inputRequests"]
    assert not wire.platform.confirms
    number = wire.confirm(_meta=META, inputResponses={"approval": yes}, requestState=asked["requestState"])
    assert not wire.answer(number)["result"].get("isError")
    assert wire.platform.confirms == [wire.quote]
