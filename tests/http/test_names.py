"""Allowed hosts and origins, however they are written."""

from __future__ import annotations

from typing import Any

import pytest

from deeporigin_mcp.http.names import Names
from tests.support.bench import Bench
from tests.support.site import ADA, request, routing, running_site

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("allowed", "host", "is_taken"),
    [
        ("MCP.Example.org", "mcp.example.org", True),
        ("mcp.example.org", "MCP.EXAMPLE.ORG:8443", True),
        ("mcp.example.org", "mcp.example.org.", True),
        ("mcp.example.org.", "mcp.example.org:443", True),
        ("mcp.example.org", " mcp.example.org:", True),
        ("mcp.example.org:443", "mcp.example.org", True),
        ("mcp.example.org:80", "mcp.example.org", True),
        ("mcp.example.org:8443", "mcp.example.org", False),
        ("mcp.example.org:443", "mcp.example.org:8443", False),
        ("[fd00::7]", "[FD00:0:0::7]:8321", True),
        ("[fd00::7]:8321", "[fd00::8]:8321", False),
        ("mcp.example.org", "mcp.example.org..", False),
        ("mcp.example.org", ".mcp.example.org", False),
        ("mcp.example.org", "mcp.example.org.evil.example", False),
        ("mcp.example.org", "evil.example@mcp.example.org", False),
        ("mcp.example.org", "mcp.example.org/x", False),
        ("mcp.example.org", "mcp.example.org:x", False),
        ("mcp.example.org", "mcp.example.org:443:443", False),
        ("mcp.example.org", "mcp.example.org, mcp.example.org", False),
        ("mcp.example.org", "", False),
        ("mcp.example.org", ":443", False),
        ("[fd00::7]", "[fd00::7", False),
        ("[fd00::7]", "[::::]", False),
    ],
)
def test_a_host_is_compared_as_names_are(allowed: str, host: str, is_taken: bool) -> None:
    assert Names([allowed]).allows_host(host) is is_taken


@pytest.mark.parametrize(
    ("allowed", "origin", "is_taken"),
    [
        ("https://Chat.Example.org", "https://chat.example.org", True),
        ("https://chat.example.org", "HTTPS://CHAT.example.org.", True),
        ("https://chat.example.org:443", "https://chat.example.org", True),
        ("https://chat.example.org", "https://chat.example.org:443", True),
        ("http://chat.example.org:80", "http://chat.example.org", True),
        ("https://chat.example.org/", "https://chat.example.org", True),
        ("https://chat.example.org:80", "https://chat.example.org", False),
        ("https://chat.example.org", "http://chat.example.org:443", False),
        ("https://chat.example.org", "https://chat.example.org:8443", False),
        ("https://chat.example.org", "https://chat.example.org/page", False),
        ("https://chat.example.org", "chat.example.org", False),
        ("https://chat.example.org", "null", False),
        ("https://chat.example.org", "https://chat.example.org, https://evil.example", False),
        ("https://chat.example.org", "https://evil.example", False),
        ("https://chat.example.org", "http://localhost", False),
    ],
)
def test_an_origin_is_compared_as_names_are(allowed: str, origin: str, is_taken: bool) -> None:
    assert Names(origins=[allowed]).allows_origin(origin) is is_taken


@pytest.mark.parametrize("host", ["LocalHost", "localhost.", "127.0.0.1:1", "[0:0:0:0:0:0:0:1]:8321"])
def test_this_machine_is_itself_in_every_spelling(host: str) -> None:
    assert Names().allows_host(host)
    assert Names().allows_origin(f"http://{host}".upper())
    assert not Names().allows_origin(f"https://{host}")


PREFLIGHT = {
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "x-do-auth-token",
    "Access-Control-Request-Private-Network": "true",
}


@pytest.mark.parametrize("origin", ["https://chat.example.org", "https://CHAT.example.org:443"])
async def test_an_allowed_page_on_the_internet_may_call_into_the_private_network(bench: Bench, origin: str) -> None:
    named: dict[str, Any] = {"allowed_hosts": ("mcp.example.org",), "allowed_origins": ("https://Chat.Example.org",)}
    async with running_site(bench, **named) as site, site.http({"Host": "MCP.example.org", "Origin": origin}) as http:
        asked = await http.options("/mcp", headers=PREFLIGHT)
        served = await http.post("/mcp", json=request("tools/list"), headers=routing("tools/list") | ADA)
    assert (asked.status_code, served.status_code) == (200, 200)
    assert asked.headers["access-control-allow-private-network"] == "true"
    for answer in (asked, served):
        # As it was asked: a browser compares letter by letter.
        assert answer.headers["access-control-allow-origin"] == origin


@pytest.mark.parametrize("origin", ["https://evil.example", "http://chat.example.org", "null"])
async def test_no_other_page_may(bench: Bench, origin: str) -> None:
    async with running_site(bench, allowed_origins=("https://chat.example.org",)) as site, site.http({}) as http:
        asked = await http.options("/mcp", headers=PREFLIGHT | {"Origin": origin})
    assert asked.status_code == 400
    assert {"access-control-allow-private-network", "access-control-allow-origin"} & {*asked.headers} == set()
