"""Many calls at once: `get_execution`, which asks the platform each time, against an echo that asks nobody.

python -m benchmarks.throughput
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack

from benchmarks import http_load
from benchmarks.figures import Sample, Table, interleaved
from benchmarks.platforms import ORGANISATION, PROJECT, replay, variables
from benchmarks.processes import StdioServer, announced
from benchmarks.replay import row_id
from benchmarks.servers import BARE, BARE_TOOL, OURS, commands
from deeporigin_mcp.simulator import make_token

AIM = 0.6
AT_ONCE = 16
FLOOR = "a bare server that fetches the same"
GET = {"execution_id": row_id(0)}
ECHO = {"text": "a text"}

Rates = dict[str, dict[str, Sample]]


def over_stdio(base_url: str, calls: int, repeats: int) -> Rates:
    known = commands()
    python = known[BARE][0]
    with (
        StdioServer(known[OURS], **variables(base_url)) as ours,
        StdioServer(known[BARE]) as bare,
        StdioServer([python, known[BARE][1], "--get", base_url]) as floor,
    ):
        for server in (ours, bare, floor):
            server.initialize()

        def rate(server: StdioServer, tool: str, arguments: dict[str, str]) -> Callable[[], Mapping[str, float]]:
            return lambda: {"rate": server.calls_per_second(tool, arguments, calls=calls, at_once=AT_ONCE)}

        return interleaved(
            {
                OURS: rate(ours, "get_execution", GET),
                BARE: rate(bare, BARE_TOOL, ECHO),
                FLOOR: rate(floor, "get_execution", GET),
            },
            repeats,
        )


def over_http(base_url: str, calls: int, repeats: int) -> Rates:
    known = commands()
    credentials = {"X-Do-Auth-Token": make_token(), "X-Do-Org-Key": ORGANISATION, "X-Do-Project-Id": PROJECT}
    with ExitStack() as running:
        serve = [*known[OURS], "serve", "--http", "--port", "0"]
        ours, _ = running.enter_context(announced(serve, DO_BASE_URL=base_url))
        bare, _ = running.enter_context(announced([*known[BARE], "--http"]))

        def rate(address: str, sent: bytes) -> Callable[[], Mapping[str, float]]:
            return lambda: {"rate": http_load.calls_per_second(address, sent, calls=calls, at_once=AT_ONCE)}

        return interleaved(
            {
                OURS: rate(ours, http_load.request(ours, "get_execution", GET, credentials)),
                BARE: rate(bare, http_load.request(bare, BARE_TOOL, ECHO, {})),
            },
            repeats,
        )


def measure(table: Table, calls: int, repeats: int) -> None:
    with replay() as base_url:
        compare(table, "stdio", over_stdio(base_url, calls, repeats))
        if importlib.util.find_spec("deeporigin_mcp.http") is None:
            table.add("HTTP", "this version does not serve HTTP")
        else:
            compare(table, "HTTP", over_http(base_url, calls, repeats))
    table.note(
        f"{AT_ONCE} calls under way at any time. Asking the platform takes an HTTP request, which costs more than an "
        f"echo. What can be had at all on this SDK and HTTP client is told by {FLOOR} and passes it on as it came."
    )


def compare(table: Table, transport: str, found: Rates) -> None:
    ours = found[OURS]["rate"]
    for name, values in found.items():
        if name == OURS:
            continue
        theirs = values["rate"]
        ratio = ours.median / theirs.median
        measured = f"{ours.told('calls/s')} against {theirs.told('calls/s')}: {ratio:.2f} times"
        if name == BARE:
            table.add(f"{transport}, against the echo of {name}", measured, f"≥ {AIM} times", ratio >= AIM)
        else:
            table.add(f"{transport}, against {name}", measured)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    table = Table("Throughput")
    measure(table, options.calls, options.repeats)
    return table.exit_code


if __name__ == "__main__":
    sys.exit(main())
