"""Processes under measurement, spoken to in raw JSON-RPC so that no client library is measured with them."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parent.parent
HANDSHAKE = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "benchmark", "version": "1"}}


@dataclass(frozen=True)
class Footprint:
    """A process as the operating system sees it. Needs /proc."""

    memory_mib: float
    peak_mib: float
    sockets: int
    threads: int
    processor_seconds: float

    @classmethod
    def of(cls, pid: int | str = "self") -> Footprint:
        folder = Path(f"/proc/{pid}")
        status = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
        ticks = (folder / "stat").read_text().rpartition(")")[2].split()[11:13]
        links = []
        for entry in (folder / "fd").iterdir():
            with contextlib.suppress(OSError):
                links.append(str(entry.readlink()))
        return cls(
            memory_mib=int(status["VmRSS"].split()[0]) / 1024,
            peak_mib=int(status["VmHWM"].split()[0]) / 1024,
            sockets=sum(link.startswith("socket:") for link in links),
            threads=int(status["Threads"]),
            processor_seconds=sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK"),
        )


def environment(home: str, **variables: str) -> dict[str, str]:
    """Nothing of this machine's settings, so that every server starts alike."""
    return {"PATH": os.environ["PATH"], "HOME": home, **variables}


class StdioServer:
    """An MCP server over its standard input and output."""

    def __init__(self, command: Sequence[str], **variables: str) -> None:
        self._home = tempfile.TemporaryDirectory()
        self._started = time.perf_counter()
        self._process = subprocess.Popen(
            command,
            env=environment(self._home.name, **variables),
            cwd=self._home.name,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._number = 0

    def __enter__(self) -> StdioServer:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            with contextlib.suppress(BrokenPipeError):
                stream.close()
        self._home.cleanup()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def seconds(self) -> float:
        """Since the start of the process."""
        return time.perf_counter() - self._started

    @property
    def footprint(self) -> Footprint:
        return Footprint.of(self.pid)

    def send(self, method: str, params: dict[str, Any]) -> int:
        """Send a request; its id."""
        self._number += 1
        self._write({"jsonrpc": "2.0", "id": self._number, "method": method, "params": params})
        return self._number

    def receive(self) -> dict[str, Any]:
        """The next answer, notifications passed over."""
        assert self._process.stdout is not None
        while line := self._process.stdout.readline():
            message: dict[str, Any] = json.loads(line)
            if "method" not in message:
                return message
        raise EOFError(f"the server ended: {self._process.args!r}")

    def ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """The result of one request."""
        number = self.send(method, params)
        answer = self.receive()
        if answer["id"] != number or "result" not in answer:
            raise ValueError(f"{method}: {answer}")
        result: dict[str, Any] = answer["result"]
        return result

    def initialize(self) -> float:
        """Shake hands; seconds from the start of the process to the server's answer."""
        self.ask("initialize", HANDSHAKE)
        seconds = self.seconds
        self._write({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return seconds

    def call(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """The result of a tool.

        Raises:
            ValueError: the tool failed, so that its time would say nothing.
        """
        return checked(self.ask("tools/call", {"name": tool, "arguments": arguments}))

    def calls_per_second(self, tool: str, arguments: dict[str, Any], *, calls: int, at_once: int) -> float:
        """How many calls a second are answered while so many are always under way."""
        params = {"name": tool, "arguments": arguments}
        started = time.perf_counter()
        for _ in range(at_once):
            self.send("tools/call", params)
        for answered in range(1, calls + 1):
            checked(self.receive()["result"])
            if answered + at_once <= calls:
                self.send("tools/call", params)
        return calls / (time.perf_counter() - started)

    def _write(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        self._process.stdin.flush()


def checked(result: dict[str, Any]) -> dict[str, Any]:
    """A tool's result.

    Raises:
        ValueError: it is an error.
    """
    if result.get("isError"):
        raise ValueError(f"a measured call failed: {result['content']}")
    return result


@contextlib.contextmanager
def announced(command: Sequence[str], **variables: str) -> Iterator[tuple[str, int]]:
    """A process that prints its address in the first line: (`http://host:port`, pid)."""
    with tempfile.TemporaryDirectory() as home:
        process = subprocess.Popen(
            command,
            env=environment(home, **variables),
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert process.stdout is not None
        try:
            lines = []
            while line := process.stdout.readline():
                lines.append(line)
                if "http://" in line:
                    break
            else:
                raise ChildProcessError(f"{command!r} said no address but: {''.join(lines)}")
            threading.Thread(target=process.stdout.read, daemon=True).start()
            address = "http://" + line.split("http://", 1)[1].split()[0].split("/", 1)[0]
            yield address, process.pid
        finally:
            process.terminate()
            process.wait(10)


def in_process_of_its_own(module: str, *arguments: str) -> dict[str, float]:
    """Run a module and read the JSON that it prints, so that the two sides share neither memory nor imports."""
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            env=environment(home),
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            check=True,
        )
    found: dict[str, float] = json.loads(done.stdout)
    return found
