"""Over HTTP: the routing header, and who declared what on the very request."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
import pytest
from mcp.server.mcpserver import MCPServer

from tests.extensions.bakery import Oven, server
from tests.support.task_client import MODERN, TASKS

pytestmark = pytest.mark.anyio

BASE_URL = "http://127.0.0.1:8000"


class Wire:
    """Requests as they go over HTTP."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def post(
        self, method: str, params: dict[str, Any], headers: Mapping[str, str], *, declared: bool = True
    ) -> tuple[int, dict[str, Any]]:
        """The HTTP status and the JSON-RPC body."""
        capabilities: dict[str, Any] = {"extensions": {TASKS: {}}} if declared else {}
        meta = {
            "io.modelcontextprotocol/protocolVersion": MODERN,
            "io.modelcontextprotocol/clientCapabilities": capabilities,
        }
        response = await self._http.post(
            "/mcp",
            json={"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": meta}},
            headers={
                "Accept": "application/json, text/event-stream",
                "MCP-Protocol-Version": MODERN,
                "Mcp-Method": method,
                **headers,
            },
        )
        return response.status_code, response.json()

    async def task_id(self) -> str:
        """A fresh task."""
        call = {"name": "bake", "arguments": {"minutes": 40}}
        status, body = await self.post("tools/call", call, {"Mcp-Name": "bake"})
        assert status == 200
        assert body["result"]["resultType"] == "task"
        return str(body["result"]["taskId"])


@contextlib.asynccontextmanager
async def wire(served: MCPServer[Any]) -> AsyncIterator[Wire]:
    app = served.streamable_http_app(stateless_http=True, json_response=True)
    transport = httpx.ASGITransport(app=app)
    async with served.session_manager.run(), httpx.AsyncClient(transport=transport, base_url=BASE_URL) as http:
        yield Wire(http)


@pytest.fixture
def oven() -> Oven:
    return Oven()


METHODS: list[tuple[str, dict[str, Any]]] = [
    ("tasks/get", {}),
    ("tasks/update", {"inputResponses": {}}),
    ("tasks/cancel", {}),
]


@pytest.mark.parametrize(("method", "params"), METHODS)
async def test_the_header_must_name_the_task(oven: Oven, method: str, params: dict[str, Any]) -> None:
    async with wire(server(oven)) as http:
        task_id = await http.task_id()
        for headers in ({"Mcp-Name": task_id + "x"}, {"Mcp-Name": "bake"}, {}):
            status, body = await http.post(method, {"taskId": task_id, **params}, headers)
            assert (status, body["error"]["code"]) == (400, -32020)
        status, body = await http.post(method, {"taskId": task_id, **params}, {"Mcp-Name": task_id})
        assert (status, body["result"]["resultType"]) == (200, "complete")
    assert len(oven.asked) == (2 if method == "tasks/get" else 1)


@pytest.mark.parametrize(("method", "params"), METHODS)
async def test_every_request_declares_for_itself(oven: Oven, method: str, params: dict[str, Any]) -> None:
    async with wire(server(oven)) as http:
        task_id = await http.task_id()
        status, body = await http.post(method, {"taskId": task_id, **params}, {"Mcp-Name": task_id}, declared=False)
        assert (status, body["error"]["code"]) == (400, -32021)
        status, body = await http.post(
            "tools/call", {"name": "bake", "arguments": {"minutes": 4}}, {"Mcp-Name": "bake"}, declared=False
        )
        assert body["result"]["content"][0]["text"] == "baked for 4 minutes"


async def test_a_request_without_an_id_is_not_valid(oven: Oven) -> None:
    async with wire(server(oven)) as http:
        for params in ({}, {"taskId": 7}, {"taskId": None}):
            status, body = await http.post("tasks/get", params, {})
            assert (status, body["error"]["code"]) == (400, -32602)


@pytest.mark.parametrize("method", ["tasks/list", "tasks/result"])
async def test_methods_of_older_revisions_are_gone(oven: Oven, method: str) -> None:
    async with wire(server(oven)) as http:
        status, body = await http.post(method, {"taskId": "x"}, {"Mcp-Name": "x"})
        assert (status, body["error"]["code"]) == (404, -32601)
