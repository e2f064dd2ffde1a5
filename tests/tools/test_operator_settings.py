"""What the operator set wrong, or the network around the server wants, is told as theirs: never as the model's."""

from __future__ import annotations

import os
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from deeporigin_mcp.server import create_server
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.simulator import make_token
from tests.support.bench import Bench, agent_of, docking
from tests.support.calls import CALLS

pytestmark = pytest.mark.anyio

SECRET = "hunter2"
LIST = "DEEPORIGIN_MCP_ALLOWED_TOOL_KEYS"


class Refusing(socketserver.StreamRequestHandler):
    """A proxy that wants credentials."""

    def handle(self) -> None:
        while self.rfile.readline().strip():
            pass
        self.wfile.write(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n")


@pytest.fixture
def proxy() -> Iterator[str]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Refusing) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SSL_CERT_FILE", "/nowhere/cacert.pem"),
        ("SSL_CERT_DIR", "/nowhere"),
        ("HTTPS_PROXY", f"socks4://ada:{SECRET}@127.0.0.1:9"),
        ("HTTPS_PROXY", f"http://ada:{SECRET}@127.0.0.1:port"),
        ("HTTPS_PROXY", f"http://ada:{SECRET}@PROXY"),
        ("ALL_PROXY", "http://PROXY"),
    ],
)
async def test_every_tool_names_the_variable_that_is_in_the_way(
    variable: str, value: str, proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv(variable, value.replace("PROXY", proxy))
    settings = Settings(token=SecretStr(make_token()), org_key="acme", base_url="https://platform.invalid")
    async with agent_of(create_server(settings)) as agent:
        for tool, arguments in CALLS.items():
            answer = await agent.call(tool, arguments)
            message = answer.text
            assert variable in message, tool
            assert "The operator should" in message, tool
            assert "restart this MCP server" in message, tool
            assert SECRET not in message
            assert "inside this MCP server" not in message
            assert "argument" not in message
            if tool == "get_workspace":
                assert message.count("The operator should") == 1


@pytest.mark.parametrize("project", ["09N0SUCHPR0J1", "Kinase pilot"])
async def test_a_project_that_the_operator_set_is_the_operator_s_to_correct(bench: Bench, project: str) -> None:
    async with bench.agent(project_id=project) as agent:
        message = await agent.refused("create_execution", **docking())
        assert "DO_PROJECT_ID" in str((await agent.read("get_workspace"))["problems"])
    assert "DO_PROJECT_ID" in message
    assert "09DEMAKNASE01" in message
    assert "Correct the request" not in message
    assert bench.platform.executions == {}


async def test_a_refusal_in_a_project_that_exists_is_the_caller_s_as_before(bench: Bench) -> None:
    bench.fault("POST */executions status=422")
    async with bench.agent(project_id="09DEMAKNASE01") as agent:
        message = await agent.refused("create_execution", **docking())
    assert "DO_PROJECT_ID" not in message


@pytest.mark.parametrize("rule", ["docking", "deeporigin.dockin", "*.docking.*"])
async def test_a_list_that_allows_no_tool_is_reported_by_the_search_for_tools(bench: Bench, rule: str) -> None:
    async with bench.agent(allowed_tool_keys=(rule,)) as agent:
        found = await agent.read("find_platform_tools", query="dock")
        workspace = await agent.read("get_workspace")
    assert found["tools"] == []
    for told in (found["next_step"], str(workspace["problems"])):
        assert LIST in told
        assert repr(rule) in told


async def test_an_entry_that_matches_nothing_is_reported_also_beside_one_that_does(bench: Bench) -> None:
    async with bench.agent(allowed_tool_keys=("deeporigin.docking", "deeporigin.dockin")) as agent:
        found = await agent.read("find_platform_tools", query="dock")
        workspace = await agent.read("get_workspace")
    assert [row["tool_key"] for row in found["tools"]] == ["deeporigin.docking"]
    assert "'deeporigin.dockin'" in str(workspace["problems"])


async def test_a_list_that_matches_is_not_spoken_of(bench: Bench) -> None:
    async with bench.agent(allowed_tool_keys=("deeporigin.d*",)) as agent:
        assert "problems" not in await agent.read("get_workspace")
        assert LIST not in (await agent.read("find_platform_tools", query="xyzzy"))["next_step"]


async def test_a_home_with_a_pipe_for_credentials_keeps_no_call_waiting(tmp_path: Path) -> None:
    (tmp_path / ".deeporigin").mkdir()
    os.mkfifo(tmp_path / ".deeporigin" / "config.json")
    async with agent_of(create_server(Settings.load({}, tmp_path))) as agent:
        assert "~/.deeporigin/config.json cannot be read" in await agent.refused("list_executions")
