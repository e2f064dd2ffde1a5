"""Serving over standard input and output, as clients really use them.

The SDK's own transport drops a line that it cannot read, and ends only when its output is read. Here every request
gets a response, a byte order mark and halves of characters do no harm, and the end of the input, or of the reader of
the output, ends the process.
"""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import select
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, BinaryIO, TypeVar

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.server.mcpserver import MCPServer
from mcp.shared.message import SessionMessage
from mcp_types import (
    INTERNAL_ERROR,
    INVALID_REQUEST,
    PARSE_ERROR,
    ErrorData,
    JSONRPCError,
    JSONRPCMessage,
    JSONRPCNotification,
    JSONRPCRequest,
    JSONRPCResponse,
    jsonrpc_message_adapter,
)
from pydantic_core import PydanticSerializationError

from deeporigin_mcp.logs import write_all
from deeporigin_mcp.platform.records.sanitizing import sendable_json, whole_characters

logger = logging.getLogger("deeporigin_mcp.stdio")

LAST_SECONDS = 2.0
"""How long after the end of the input the rest of the output may be read."""
ANSWER_SECONDS = 1.0
"""How long of that the calls that are under way may take to end; clients kill a process that stays for long."""

_EDGES = " \t\r\n\ufeff\0"
"""What some clients have around a message: byte order marks, even in later lines, and the end of a text of C."""

STDIN, STDOUT, STDERR = 0, 1, 2

Result = TypeVar("Result")


def serve_stdio(server: MCPServer[Any]) -> None:
    """Serve until the input ends, or nobody reads the output."""
    anyio.run(_serve, server)


async def _serve(server: MCPServer[Any]) -> None:
    lowlevel = server._lowlevel_server  # noqa: SLF001 (`run_stdio_async` takes no streams)
    to_server, incoming = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    outgoing, from_server = anyio.create_memory_object_stream[SessionMessage](0)
    source, target = _claimed(STDIN, None), _claimed(STDOUT, STDERR)
    unanswered = _Unanswered()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_read, source, to_server, outgoing.clone(), unanswered, tasks.cancel_scope)
        tasks.start_soon(_write, target, from_server, unanswered, tasks.cancel_scope)
        await lowlevel.run(incoming, outgoing, lowlevel.create_initialization_options())


class _Unanswered:
    """Requests that were read and whose responses are not written yet."""

    def __init__(self) -> None:
        self._ids: set[str | int] = set()
        self._is_empty = anyio.Event()

    def read(self, message: JSONRPCMessage) -> None:
        if isinstance(message, JSONRPCRequest):
            self._ids.add(message.id)

    def written(self, message: JSONRPCMessage) -> None:
        if isinstance(message, JSONRPCResponse | JSONRPCError) and message.id is not None:
            self._ids.discard(message.id)
            if not self._ids:
                self._is_empty.set()

    async def answered(self) -> None:
        """Wait until there are none. Nothing is read any more."""
        if self._ids:
            self._is_empty = anyio.Event()
            await self._is_empty.wait()


class _Input(io.FileIO):
    """A descriptor that waits for input, also where somebody who shares it has made it non-blocking."""

    def readinto(self, buffer: Any) -> int:
        while (count := super().readinto(buffer)) is None:
            select.select([self], [], [])
        return count


async def _read(
    source: int,
    to_server: MemoryObjectSendStream[SessionMessage | Exception],
    outgoing: MemoryObjectSendStream[SessionMessage],
    unanswered: _Unanswered,
    everything: anyio.CancelScope,
) -> None:
    stream = io.BufferedReader(_Input(source, closefd=False))
    with to_server, outgoing:
        # A last line without its end is a message that was cut off.
        while (line := await _in_thread(lambda: _line_of(stream))).endswith(b"\n"):
            message, answer = _message(line)
            if answer is not None:
                await outgoing.send(SessionMessage(answer))
            if message is not None:
                unanswered.read(message)
                await to_server.send(SessionMessage(message))
        everything.deadline = anyio.current_time() + LAST_SECONDS
        # The end of the input ends all calls; what was just asked, as by a pipe from a file, is answered before.
        with anyio.move_on_after(ANSWER_SECONDS):
            await unanswered.answered()


async def _write(
    target: int,
    from_server: MemoryObjectReceiveStream[SessionMessage],
    unanswered: _Unanswered,
    everything: anyio.CancelScope,
) -> None:
    async for message in from_server:
        line = _line(message.message)
        if not await _in_thread(lambda line=line: write_all(target, line)):  # type: ignore[misc]
            everything.cancel()
        unanswered.written(message.message)


async def _in_thread(work: Callable[[], Result]) -> Result:
    """Do what may block for ever in a thread that the end of the process does not wait for."""
    outcome: Future[Result] = Future()
    # From here on, who stops waiting for it leaves it alone.
    outcome.set_running_or_notify_cancel()

    def run() -> None:
        try:
            outcome.set_result(work())
        except Exception as error:  # noqa: BLE001 (it is raised where the outcome is awaited)
            outcome.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return await asyncio.wrap_future(outcome)


def _line_of(stream: BinaryIO) -> bytes:
    try:
        return stream.readline()
    except OSError:
        return b""


def _message(line: bytes) -> tuple[JSONRPCMessage | None, JSONRPCError | None]:
    """The message of a line, and the error to answer where a request cannot be read."""
    text = line.decode("utf-8", "replace").strip(_EDGES)
    if not text:
        return None, None
    try:
        message = jsonrpc_message_adapter.validate_json(whole_characters(text), by_name=False)
    except ValueError:
        message = None
    # A request whose id is neither text nor a whole number is taken for a notification, which nobody answers.
    if message is not None and not (isinstance(message, JSONRPCNotification) and '"id"' in text):
        return message, None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None, _error(None, PARSE_ERROR, "The line is not valid JSON, or is nested too deeply.")
    if message is not None and "id" not in found:
        return message, None
    number = found.get("id") if isinstance(found, dict) else None
    known = number if isinstance(number, str) or type(number) is int else None
    if isinstance(found, dict) and "method" not in found and known is not None:
        # Whoever waits for this response must not wait for ever.
        return _error(known, INTERNAL_ERROR, "The client's response is not valid JSON-RPC 2.0."), None
    if isinstance(found, dict) and ("method" not in found or "id" not in found):
        logger.warning("A line of input was dropped: it is JSON, but no request, notification or response.")
        return None, None
    return None, _error(known, INVALID_REQUEST, "The line is JSON, but not a valid JSON-RPC 2.0 request.")


def _error(number: str | int | None, code: int, message: str) -> JSONRPCError:
    return JSONRPCError(jsonrpc="2.0", id=number, error=ErrorData(code=code, message=message))


def _line(message: JSONRPCMessage) -> bytes:
    try:
        text = message.model_dump_json(by_alias=True, exclude_unset=True)
    except (PydanticSerializationError, UnicodeError):
        # Halves of characters, which can only be written as escapes.
        text = json.dumps(message.model_dump(by_alias=True, exclude_unset=True), default=str)
    return sendable_json(text).encode() + b"\n"


def _claimed(descriptor: int, instead: int | None) -> int:
    """A standard stream for this server alone.

    Args:
        instead: what others that use the descriptor reach from now on; None for nothing.
    """
    own = os.dup(descriptor)
    os.dup2(os.open(os.devnull, os.O_RDWR) if instead is None else instead, descriptor)
    return own
