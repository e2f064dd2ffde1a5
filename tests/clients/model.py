"""A model on the loopback address that follows a script: it calls tools in a fixed order, whatever it is asked.

It speaks what the clients speak: Anthropic's Messages, OpenAI's Responses and Gemini's generateContent, streamed. How
far the script has come is read from the conversation itself: the results of tools that are in it.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Call = tuple[str, dict[str, Any]]
"""A tool by the server's own name, and its arguments."""
Script = Sequence[Callable[[Sequence[str]], Call | None]]
"""Each step makes a call of the texts that the calls before it returned; None if these leave nothing to do."""
WAITS = ("WaitForMcpServers", "list_mcp_resources")
"""Tools of Claude Code and Codex that wait for the servers, which start while the first turn goes on."""
MOST_WAITS = 60
WAIT_SECONDS = 1.0
DONE = "The script is done."


@dataclass
class Model:
    """What the model was given."""

    script: Script
    url: str = ""
    tools: list[str] = field(default_factory=list)
    """The names of all tools in the request that had most of them."""
    results: list[str] = field(default_factory=list)
    """What the calls returned, as text."""
    waits: int = 0

    def turn(self, tools: Sequence[str], results: Sequence[str]) -> Call | None:
        """The next call, by the name that the client gives the tool; None when the script is done or cannot go on."""
        self.tools = max(self.tools, [*tools], key=len)
        self.results = max(self.results, [*results], key=len)
        if not tools or len(results) >= len(self.script):
            return None
        call = self.script[len(results)](results)
        if call is None:
            return None
        name, arguments = call
        known = next((tool for tool in tools if tool.endswith(name)), None)
        if known is None and self.waits < MOST_WAITS:
            self.waits += 1
            time.sleep(WAIT_SECONDS)
            return next(((wait, {}) for wait in WAITS if wait in tools), None)
        return (known, arguments) if known else None


@contextmanager
def scripted_model(script: Script) -> Iterator[Model]:
    """The model, until the block is left."""
    model = Model(script)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
            self._send(*_answer(model, self.path, asked))

        def do_GET(self) -> None:
            self._send("application/json", b'{"data": [], "models": []}')

        def _send(self, content_type: str, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    model.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield model
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _answer(model: Model, path: str, asked: dict[str, Any]) -> tuple[str, bytes]:
    if "count_tokens" in path or "countTokens" in path:
        return "application/json", b'{"input_tokens": 1, "totalTokens": 1}'
    if path.startswith("/v1/messages"):
        return _messages(model, asked)
    if path.endswith("/responses"):
        return _responses(model, asked)
    return _gemini(model, asked, streamed="stream" in path)


def _is_wait(call_id: str) -> bool:
    return any(wait in call_id for wait in WAITS)


def _text(content: Any) -> str:
    """All text in a result, in whichever shape a client sends it."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(map(_text, content))
    if isinstance(content, dict):
        return content["text"] if isinstance(content.get("text"), str) else json.dumps(content, ensure_ascii=False)
    return ""


def _events(events: Sequence[dict[str, Any]]) -> tuple[str, bytes]:
    lines = [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events]
    return "text/event-stream", "".join(lines).encode()


def _messages(model: Model, asked: dict[str, Any]) -> tuple[str, bytes]:
    """Anthropic's Messages."""
    blocks = [block for message in asked["messages"] for block in message["content"] if isinstance(block, dict)]
    results = [
        _text(block.get("content"))
        for block in blocks
        if block.get("type") == "tool_result" and not _is_wait(block["tool_use_id"])
    ]
    call = model.turn([tool["name"] for tool in asked.get("tools", ())], results)
    if call:
        block: dict[str, Any] = {
            "type": "tool_use",
            "id": f"toolu_{call[0]}_{len(blocks)}",
            "name": call[0],
            "input": {},
        }
        delta = {"type": "input_json_delta", "partial_json": json.dumps(call[1])}
    else:
        block = {"type": "text", "text": ""}
        delta = {"type": "text_delta", "text": DONE}
    stop = "tool_use" if call else "end_turn"
    usage = {"input_tokens": 1, "output_tokens": 1}
    message = {"id": f"msg_{len(results):04}", "type": "message", "role": "assistant", "model": asked["model"]}
    if not asked.get("stream"):
        whole = {**block, "input": call[1]} if call else {"type": "text", "text": DONE}
        body = {**message, "content": [whole], "stop_reason": stop, "stop_sequence": None, "usage": usage}
        return "application/json", json.dumps(body).encode()
    begun = {**message, "content": [], "stop_reason": None, "stop_sequence": None, "usage": usage}
    return _events(
        [
            {"type": "message_start", "message": begun},
            {"type": "content_block_start", "index": 0, "content_block": block},
            {"type": "content_block_delta", "index": 0, "delta": delta},
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": None}, "usage": usage},
            {"type": "message_stop"},
        ]
    )


def _responses(model: Model, asked: dict[str, Any]) -> tuple[str, bytes]:
    """OpenAI's Responses."""
    results = [
        _text(item.get("output"))
        for item in asked["input"]
        if item.get("type") == "function_call_output" and not _is_wait(item["call_id"])
    ]
    tools: dict[str, tuple[str, str | None]] = {}
    for tool in asked.get("tools", ()):
        if tool.get("type") == "namespace":
            tools |= {f"{tool['name']}{one['name']}": (one["name"], tool["name"]) for one in tool["tools"]}
        elif "name" in tool:
            tools[tool["name"]] = (tool["name"], None)
    call = model.turn([*tools], results)
    number = len(results)
    if call:
        name, namespace = tools.get(call[0], (call[0], None))
        item: dict[str, Any] = {
            "type": "function_call",
            "id": f"fc_{len(asked['input'])}",
            "call_id": f"call_{name}_{len(asked['input'])}",
            "name": name,
            "arguments": json.dumps(call[1]),
            "status": "completed",
            **({"namespace": namespace} if namespace else {}),
        }
    else:
        content = [{"type": "output_text", "text": DONE, "annotations": []}]
        item = {
            "type": "message",
            "id": f"msg_{number}",
            "role": "assistant",
            "status": "completed",
            "content": content,
        }
    usage = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
    response = {"id": f"resp_{number}", "object": "response", "model": asked["model"], "output": [item], "usage": usage}
    return _events(
        [
            {"type": "response.created", "response": {**response, "output": [], "status": "in_progress"}},
            {"type": "response.output_item.done", "output_index": 0, "item": item},
            {"type": "response.completed", "response": {**response, "status": "completed"}},
        ]
    )


def _gemini(model: Model, asked: dict[str, Any], *, streamed: bool) -> tuple[str, bytes]:
    """Gemini's generateContent."""
    parts = [part for content in asked.get("contents", ()) for part in content.get("parts", ())]
    results = [_text(part["functionResponse"].get("response")) for part in parts if "functionResponse" in part]
    declared = [one["name"] for tool in asked.get("tools", ()) for one in tool.get("functionDeclarations", ())]
    call = model.turn(declared, results)
    part = {"functionCall": {"name": call[0], "args": call[1]}} if call else {"text": DONE}
    body = {
        "candidates": [{"content": {"role": "model", "parts": [part]}, "finishReason": "STOP", "index": 0}],
        "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2},
        "modelVersion": "scripted",
    }
    if streamed:
        return "text/event-stream", f"data: {json.dumps(body)}\r\n\r\n".encode()
    return "application/json", json.dumps(body).encode()
