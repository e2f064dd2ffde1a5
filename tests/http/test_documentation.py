"""docs/http.md and the clients' configurations are true."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

import pytest
from mcp_types import CallToolResult

from deeporigin_mcp.cli import HTTP_HOST, HTTP_PORT, _parser
from deeporigin_mcp.http import app, bodies, callers, connections, credentials, guard, serving
from deeporigin_mcp.settings.places import ORG_HEADER, PROJECT_HEADER, TOKEN_HEADER
from deeporigin_mcp.tools.runtime.state import CALL_SECONDS
from tests.support.documents import PLACEHOLDER, PROMPTED, VARIABLE, variables_that_are_read
from tests.support.processes import REPOSITORY
from tests.support.site import BASE_URL, Site, token
from tests.support.workers import FACTORY

pytestmark = pytest.mark.anyio

PAGE = REPOSITORY / "docs/http.md"
TEXT = PAGE.read_text(encoding="utf-8")
CLIENTS = {path.name: json.loads(path.read_text()) for path in (REPOSITORY / "examples/http-clients").iterdir()}


def commands() -> list[list[str]]:
    blocks = re.findall(r"```bash\n(.*?)```", TEXT, re.DOTALL)
    return [shlex.split(line) for block in blocks for line in block.splitlines()]


def test_every_way_to_serve_that_is_shown_is_one() -> None:
    ours = [parts[1:] for parts in commands() if parts[0] == "deeporigin-mcp"]
    assert [_parser().parse_args(parts).http for parts in ours] == [True, True]
    others = [parts for parts in commands() if parts[0] in ("uvicorn", "hypercorn", "gunicorn")]
    assert len(others) == 3
    # What is run by a test; the other two take the same application.
    assert set(FACTORY[2:]) - {"uvicorn", "0"} <= set(others[0])
    for parts in others:
        assert any(re.fullmatch(r"deeporigin_mcp\.http:create_app(\(\))?", part) for part in parts)
        assert str(int(serving.STOP_SECONDS)) in parts


def test_the_options_are_those_of_the_command() -> None:
    shown = set(re.findall(r"--[a-z-]+", "\n".join(re.findall(r"^\| `--.*$", TEXT, re.MULTILINE))))
    assert shown == {
        "--host",
        "--port",
        "--allowed-host",
        "--allowed-origin",
        "--drain-seconds",
        "--keep-alive-seconds",
    }
    assert f"`{HTTP_HOST}`, `{HTTP_PORT}`" in TEXT
    assert f"listens on `{HTTP_HOST}:{HTTP_PORT}`" in TEXT


def test_the_limits_are_those_that_hold() -> None:
    limits, taken = connections.Limits(serving.MAX_CONNECTIONS), callers.CallerLimits()
    for row in (
        f"{bodies.MAX_BODY_BYTES // 2**20} MiB, within {guard.BODY_SECONDS:g} s",
        f"{bodies.MAX_HELD_BYTES // 2**20} MiB, {bodies.MAX_HELD_BYTES_EACH // 2**20} MiB of one caller; a value",
        f"{serving.MAX_HEADER_BYTES // 1024} KiB, {limits.max_headers} lines, within {limits.headers_seconds:g} s",
        f"{limits.write_seconds:g} s",
        f"{serving.MAX_CONNECTIONS}, or half",
        f"{credentials.LONGEST_TOKEN:,}; {credentials.LONGEST_NAME} characters",
        f"{CALL_SECONDS:g} s",
        f"{guard.MAX_REQUESTS:,}",
        f"{taken.calls_each}, of which {taken.streams_each} may be streams",
        f"{taken.unknown_calls} | they queue, up to {taken.queue_seconds:g} s",
        f"{taken.states_each} at a time",
        f"{taken.states:,}, for {callers.IDLE_SECONDS / 60:g} minutes",
    ):
        assert f"| {row}" in TEXT
    assert f"with connections to the platform for {callers.CONNECTED_SECONDS:g} s" in TEXT
    assert f"counts as {bodies.BYTES_OF_A_VALUE} bytes" in TEXT
    assert f"| `{serving.KEEP_ALIVE_SECONDS}` |" in TEXT
    # The application refuses a late body before the connection is closed.
    assert limits.body_seconds > guard.BODY_SECONDS
    assert serving.MAX_CONNECTIONS < guard.MAX_REQUESTS
    assert f"up to {serving.STOP_SECONDS:g} s" in TEXT


def test_headers_variables_and_files_that_are_named_exist() -> None:
    assert set(re.findall(r"X-[\w-]+", TEXT)) == {TOKEN_HEADER, ORG_HEADER, PROJECT_HEADER}
    assert {match.group() for match in VARIABLE.finditer(TEXT)} <= variables_that_are_read()
    for page in (PAGE, REPOSITORY / "SECURITY.md"):
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
            assert (page.parent / target).exists(), target


def test_every_proof_of_security_exists() -> None:
    table = re.findall(r"^\|.*\|$", (REPOSITORY / "SECURITY.md").read_text(), re.MULTILINE)
    proofs = [proof for row in table for proof in re.findall(r"`(tests/[\w./]+)`", row)]
    assert len(proofs) > 15
    assert [proof for proof in proofs if not (REPOSITORY / proof).exists()] == []


@pytest.mark.parametrize("name", sorted(CLIENTS))
async def test_a_client_works_with_its_configuration(name: str, site: Site) -> None:
    configuration: dict[str, Any] = CLIENTS[name]
    [server] = configuration["servers" if "servers" in configuration else "mcpServers"].values()
    assert server["url"] == "https://mcp.example.org" + app.PATH
    assert server.get("type", "http") == "http"
    known = {"DO_AUTH_TOKEN": token("acme"), "DO_ORG_KEY": "acme"}

    def resolved(match: re.Match[str]) -> str:
        return known.get(PROMPTED.get(match["name"], match["name"]), "")

    assert all(PLACEHOLDER.fullmatch(value) for value in server["headers"].values())
    headers = {name: PLACEHOLDER.sub(resolved, value) for name, value in server["headers"].items()}
    async with site.client(headers) as client:
        answer = await client.call_tool("get_workspace", {})
    assert isinstance(answer, CallToolResult)
    assert (answer.structured_content or {})["organization"].startswith("acme")
    assert BASE_URL.startswith("http://127.0.0.1")
