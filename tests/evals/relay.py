"""Stands between a client and the server on stdio, and writes down what each tool call costs.

    python -m tests.evals.relay FILE

Each call appends one JSON line to the file: the tool, the bytes that the model wrote and read, and whether it was an
error. Messages pass unchanged.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, BinaryIO


class CallLog:
    """Matches answers to calls and appends what they cost."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._open: dict[Any, dict[str, Any]] = {}

    def sent(self, line: bytes) -> None:
        """Note a message of the client's."""
        message = _object(line)
        params = message.get("params") or {}
        if message.get("method") == "tools/call":
            call = {"name": params.get("name"), "arguments": params.get("arguments") or {}}
            self._open[message.get("id")] = {"tool": call["name"], "bytes": _size(call)}

    def received(self, line: bytes) -> None:
        """Note a message of the server's."""
        message = _object(line)
        # A request of the server's, such as a question, has a number of its own.
        call = None if "method" in message else self._open.pop(message.get("id"), None)
        result = message.get("result") or {}
        # What asks a person is answered by calling again; to the model it is one call.
        if call is None or result.get("resultType") == "input_required":
            return
        texts = [block.get("text", "") for block in result.get("content", []) if isinstance(block, dict)]
        texts += [str(message["error"].get("message"))] if "error" in message else []
        is_error = "error" in message or bool(result.get("isError"))
        if is_error or result.get("structuredContent") is None:
            call["bytes"] += sum(len(text.encode()) for text in texts)
        else:
            call["bytes"] += _size(result["structuredContent"])
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({**call, "is_error": is_error}) + "\n")


def _object(line: bytes) -> dict[str, Any]:
    try:
        message = json.loads(line)
    except ValueError:
        return {}
    return message if isinstance(message, dict) else {}


def _size(content: Any) -> int:
    return len(json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode())


def relay(log: CallLog, client_in: BinaryIO, client_out: BinaryIO) -> int:
    """Run the server until it or the client ends; its exit code."""
    with subprocess.Popen(
        [sys.executable, "-m", "deeporigin_mcp"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as server:
        server_in, server_out = server.stdin, server.stdout
        assert server_in is not None
        assert server_out is not None

        def to_server() -> None:
            for line in client_in:
                log.sent(line)
                server_in.write(line)
                server_in.flush()
            server_in.close()

        threading.Thread(target=to_server, daemon=True).start()
        for line in server_out:
            log.received(line)
            client_out.write(line)
            client_out.flush()
        return server.wait()


if __name__ == "__main__":
    sys.exit(relay(CallLog(Path(sys.argv[1])), sys.stdin.buffer, sys.stdout.buffer))
