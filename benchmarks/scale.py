"""Ten, a hundred and a thousand callers at once over HTTP, each with a token of its own and a wait on five executions.

    python -m benchmarks.scale [--callers 10 100 1000]

Two workers behind a proxy that gives connections to them in turn; the platform answers at next to no cost
(`benchmarks.crowd`). Needs /proc.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
import time
import urllib.request
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from benchmarks import http_load
from benchmarks.crowd import RUNS, runs_of
from benchmarks.figures import Sample, Table
from benchmarks.platforms import PROJECT
from benchmarks.plot import log_log
from benchmarks.processes import REPOSITORY, Footprint, announced, checked
from benchmarks.replay import row_id
from benchmarks.servers import OURS, commands
from deeporigin_mcp.http.callers import CONNECTED_SECONDS, SWEEP_SECONDS
from deeporigin_mcp.simulator import make_token

WORKERS = 2
WAIT_SECONDS = 45
ROUNDS = 2
"""Waits of each caller, one after the other."""
LISTERS = 4
LIST = {"page_size": 20}
STATE_KEYS = "k" * 32
MEMORY_AIM_KIB, SLOWER_AIM = 150.0, 3.0
STARTING_SECONDS = 10.0
"""Over which the callers of a level begin: a thousand people do not press a key at one moment."""


@dataclass
class Level:
    """What was measured with so many callers."""

    callers: int
    waits: Sample
    failed: int
    kib_each: float
    requests_each: float
    """To the platform, per minute and caller."""
    processor_ms: float
    """Of all workers, for each of these requests."""
    lists: Sample
    sockets_left: int


@dataclass
class Site:
    """The running processes."""

    platform: str
    address: str
    workers: Sequence[int]

    def memory_mib(self) -> float:
        return sum(Footprint.of(pid).memory_mib for pid in self.workers)

    def processor_seconds(self) -> float:
        return sum(Footprint.of(pid).processor_seconds for pid in self.workers)

    def sockets(self) -> int:
        return sum(Footprint.of(pid).sockets for pid in self.workers)

    def requests(self, organisations: Container[str]) -> int:
        """How many the platform has received for these."""
        with urllib.request.urlopen(f"{self.platform}/counts") as answer:
            return sum(count for name, count in json.load(answer).items() if name in organisations)


@contextlib.contextmanager
def site() -> Iterator[Site]:
    """Platform, workers and proxy, each a process of its own."""
    serve = [*commands()[OURS], "serve", "--http", "--port", "0"]
    crowd = [sys.executable, "-m", "benchmarks.crowd"]
    with contextlib.ExitStack() as running:
        platform, _ = running.enter_context(announced([*crowd, "platform"]))
        variables = {"DO_BASE_URL": platform, "DEEPORIGIN_MCP_STATE_KEYS": STATE_KEYS}
        workers = [running.enter_context(announced(serve, **variables)) for _ in range(WORKERS)]
        proxy, _ = running.enter_context(announced([*crowd, "proxy", *(address for address, _ in workers)]))
        yield Site(platform, proxy, [pid for _, pid in workers])


def organisation_of(number: int) -> str:
    return f"organisation-{number}"


class Caller:
    """One connection with a token of its own."""

    def __init__(self, site: Site, number: int) -> None:
        self._site = site
        organisation = organisation_of(number)
        self.runs = [row_id(run) for run in runs_of(organisation)]
        self._headers = {
            "X-Do-Auth-Token": make_token(subject=f"caller-{number}"),
            "X-Do-Org-Key": organisation,
            "X-Do-Project-Id": PROJECT,
        }

    async def __aenter__(self) -> Caller:
        place = urlsplit(self._site.address)
        self._reader, self._writer = await asyncio.open_connection(place.hostname, place.port, limit=2**22)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()

    async def call(self, tool: str, arguments: Mapping[str, object]) -> float:
        """Seconds that a call took.

        Raises:
            ValueError: it failed.
        """
        started = time.perf_counter()
        self._writer.write(http_load.request(self._site.address, tool, dict(arguments), self._headers))
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        if b"content-length: " in head:
            length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
            body = await self._reader.readexactly(length)
        else:
            body = await self._reader.readuntil(b"\r\n0\r\n\r\n")
        if not head.startswith(b"http/1.1 200"):
            raise ValueError(f"{tool}: {head[:80]!r}")
        lines = [line for line in body.split(b"\n") if b'"result"' in line]
        text = lines[-1] if lines else body
        checked(json.loads(text[text.index(b"{") : text.rindex(b"}") + 1])["result"])
        return time.perf_counter() - started


async def waiter(site: Site, number: int, begin: float, took: list[float], failures: list[str]) -> None:
    """One caller: waits for five executions that do not end, a few times."""
    await asyncio.sleep(begin)
    try:
        async with Caller(site, number) as caller:
            for _ in range(ROUNDS):
                seconds = await caller.call(
                    "wait_executions", {"execution_ids": caller.runs, "timeout_seconds": WAIT_SECONDS}
                )
                took.append(seconds)
    except (OSError, ValueError, EOFError) as error:
        failures.append(f"{type(error).__name__}: {error}"[:200])


async def lister(site: Site, number: int, until: float) -> list[float]:
    """A caller that lists now and then; seconds of each."""
    took = []
    async with Caller(site, number) as caller:
        await caller.call("list_executions", LIST)
        while time.perf_counter() < until:
            took.append(await caller.call("list_executions", LIST))
            await asyncio.sleep(0.5)
    return took


async def listing(site: Site, seconds: float) -> Sample:
    until = time.perf_counter() + seconds
    found = await asyncio.gather(*(lister(site, number, until) for number in range(LISTERS)))
    return Sample(tuple(seconds for took in found for seconds in took))


async def level(site: Site, callers: int, idle_sockets: int) -> Level:
    """So many callers at once, from the first connection to when all that they had is gone."""
    took: list[float] = []
    failures: list[str] = []
    before = site.memory_mib()
    numbers = range(10_000 * callers, 10_001 * callers)
    waits = asyncio.gather(
        *(
            waiter(site, number, STARTING_SECONDS * place / callers, took, failures)
            for place, number in enumerate(numbers)
        )
    )
    # All have begun, and the first wait of none is over.
    await asyncio.sleep(STARTING_SECONDS + 5)
    organisations = {organisation_of(number) for number in numbers}
    sent, since, worked = site.requests(organisations), time.perf_counter(), site.processor_seconds()
    lists = await listing(site, WAIT_SECONDS - STARTING_SECONDS - 10)
    minutes = (time.perf_counter() - since) / 60
    kib = (site.memory_mib() - before) * 1024 / callers
    requests = site.requests(organisations) - sent
    worked = site.processor_seconds() - worked
    await waits
    for failure in sorted(set(failures))[:5]:
        print(f"failed: {failure}", file=sys.stderr)
    await asyncio.sleep(CONNECTED_SECONDS + 2 * SWEEP_SECONDS)
    return Level(
        callers,
        Sample(tuple(took or [float("nan")])),
        len(failures),
        kib,
        requests / callers / minutes,
        1e3 * worked / requests,
        lists,
        site.sockets() - idle_sockets,
    )


async def measure(table: Table, counts: Sequence[int]) -> list[Level]:
    with site() as running:
        idle_sockets = running.sockets()
        # What the first call of its kind imports stays, and is no caller's.
        for _ in range(2):
            await level_of_warm_up(running)
        idle = await listing(running, 10.0)
        table.add("memory of an idle worker", f"{running.memory_mib() / WORKERS:.0f} MiB")
        table.add("`list_executions` of an idle server", idle.told("ms", 1e3, 1))
        levels = [await level(running, count, idle_sockets) for count in counts]
    first = levels[0]
    for found in levels:
        who = f"{found.callers:,} callers"
        p99 = found.waits.percentile(99)
        table.add(
            f"{who}: waits that ended as they should, the slowest of them",
            f"{len(found.waits.values):,} of {found.callers * ROUNDS:,}; {max(found.waits.values):.1f} s"
            f" (p99 {p99:.1f} s) for {WAIT_SECONDS} s",
            f"all, ≤ {WAIT_SECONDS + 5} s",
            not found.failed and max(found.waits.values) <= WAIT_SECONDS + 5,
        )
        # A few callers weigh nothing beside what the allocator keeps.
        has_aim = found.callers >= 100
        table.add(
            f"{who}: memory of both workers, per caller",
            f"{found.kib_each:.0f} KiB",
            f"≤ {MEMORY_AIM_KIB:.0f} KiB" if has_aim else "",
            found.kib_each <= MEMORY_AIM_KIB if has_aim else None,
        )
        table.add(
            f"{who}: requests to the platform, per caller and minute, in the midst of waits",
            f"{found.requests_each:.1f} against {first.requests_each:.1f} of {first.callers}",
            "≤ 1.05 times",
            found.requests_each <= 1.05 * first.requests_each,
        )
        if has_aim:
            # Of a few callers, most of it is the lists of the others.
            table.add(f"{who}: processor time of the workers for each of these", f"{found.processor_ms:.1f} ms")
        slower = found.lists.median / idle.median
        table.add(
            f"{who}: `list_executions` meanwhile, against an idle server",
            f"{found.lists.told('ms', 1e3, 1)}: {slower:.1f} times",
            f"≤ {SLOWER_AIM:g} times",
            slower <= SLOWER_AIM,
        )
        table.add(
            f"{who}: sockets left {CONNECTED_SECONDS + 2 * SWEEP_SECONDS:.0f} s after the last call",
            f"{found.sockets_left}",
            "0",
            found.sockets_left <= 0,
        )
    return levels


async def level_of_warm_up(site: Site) -> None:
    async def one(number: int) -> None:
        async with Caller(site, LISTERS + number) as caller:
            await caller.call("wait_executions", {"execution_ids": caller.runs, "timeout_seconds": 6})
            await caller.call("list_executions", LIST)

    await asyncio.gather(*(one(number) for number in range(20)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--callers", type=int, nargs="+", default=[10, 100, 1_000])
    options = parser.parse_args()
    table = Table("A thousand callers over HTTP")
    levels = asyncio.run(measure(table, options.callers))
    table.note(
        f"{WORKERS} workers behind one address, connections to each in turn. Each caller has a token of its own and "
        f"waits {ROUNDS} times {WAIT_SECONDS} s for {RUNS} executions that do not end; meanwhile {LISTERS} others list "
        f"{LIST['page_size']} rows twice a second. Load, proxy and platform share the two cores with the workers."
    )
    if len(levels) > 1:
        plots = REPOSITORY / "benchmarks" / "plots"
        plots.mkdir(exist_ok=True)
        lines = {
            "memory, KiB each": [(float(one.callers), max(one.kib_each, 1.0)) for one in levels],
            "list_executions, ms": [(float(one.callers), one.lists.median * 1e3) for one in levels],
            "platform requests a minute, each": [(float(one.callers), max(one.requests_each, 0.1)) for one in levels],
        }
        (plots / "callers.svg").write_text(log_log("As callers grow", "callers", "", lines), encoding="utf-8")
        table.note("![callers](plots/callers.svg)")
    return table.exit_code


if __name__ == "__main__":
    sys.exit(main())
