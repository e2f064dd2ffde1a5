"""The transport over standard input and output.

The SDK's own drops a line that it cannot read, and ends only when its output is read. Here every request gets a
response, byte order marks and halves of characters are tolerated, and the process ends when its input ends or nobody
reads its output.
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
"""How long after the end of the input the process may last, to write the rest of its output."""
CALLS_SECONDS = 1.0
"""How long of that running calls may take to end; clients kill a process that stays for long."""

_EDGES = " \t\r\n\ufeff\0"
"""What some clients send around a message: byte order marks, even in later lines, and the NUL that ends a C string."""

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
    running = _Running()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_read, source, to_server, outgoing.clone(), running, tasks.cancel_scope)
        tasks.start_soon(_write, target, from_server, running, tasks.cancel_scope)
        await lowlevel.run(incoming, outgoing, lowlevel.create_initialization_options())


class _Running:
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

    async def ended(self) -> None:
        """Wait until there are none; called when the input has ended."""
        if self._ids:
            self._is_empty = anyio.Event()
            await self._is_empty.wait()


class _Input(io.FileIO):
    """A descriptor that waits for input, even if another process that shares it has made it non-blocking."""

    def readinto(self, buffer: Any) -> int:
        while (count := super().readinto(buffer)) is None:
            select.select([self], [], [])
        return count


async def _read(
    source: int,
    to_server: MemoryObjectSendStream[SessionMessage | Exception],
    outgoing: MemoryObjectSendStream[SessionMessage],
    running: _Running,
    scope: anyio.CancelScope,
) -> None:
    stream = io.BufferedReader(_Input(source, closefd=False))
    with to_server, outgoing:
        # A last line without its end is a message that was cut off.
        while (line := await _in_thread(lambda: _line_of(stream))).endswith(b"\n"):
            message, error = _message(line)
            if error is not None:
                await outgoing.send(SessionMessage(error))
            if message is not None:
                running.read(message)
                await to_server.send(SessionMessage(message))
        scope.deadline = anyio.current_time() + LAST_SECONDS
        # The end of the input ends all calls; those just begun, as by a pipe from a file, may end before.
        with anyio.move_on_after(CALLS_SECONDS):
            await running.ended()


async def _write(
    target: int,
    from_server: MemoryObjectReceiveStream[SessionMessage],
    running: _Running,
    scope: anyio.CancelScope,
) -> None:
    async for message in from_server:
        line = _line(message.message)
        if not await _in_thread(lambda line=line: write_all(target, line)):  # type: ignore[misc]
            scope.cancel()
        running.written(message.message)


async def _in_thread(work: Callable[[], Result]) -> Result:
    """Do what may block for ever, in a thread that does not keep the process from ending."""
    outcome: Future[Result] = Future()
    # From here on it cannot be cancelled: the thread sets its result in any case.
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
    """The message of a line, or the error response to an invalid request; neither for a line to ignore."""
    text = line.decode("utf-8", "replace").strip(_EDGES)
    if not text:
        return None, None
    try:
        message = jsonrpc_message_adapter.validate_json(whole_characters(text), by_name=False)
    except ValueError:
        message = None
    # The SDK takes a request whose id is neither text nor a whole number for a notification, which gets no response.
    if message is not None and not (isinstance(message, JSONRPCNotification) and '"id"' in text):
        return message, None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None, _error(None, PARSE_ERROR, "The line is not valid JSON, or is nested too deeply.")
    if message is not None and "id" not in found:
        return message, None
    given = found.get("id") if isinstance(found, dict) else None
    number = given if isinstance(given, str) or type(given) is int else None
    if isinstance(found, dict) and "method" not in found and number is not None:
        # The call that waits for this response must not wait for ever.
        return _error(number, INTERNAL_ERROR, "The client's response is not valid JSON-RPC 2.0."), None
    if isinstance(found, dict) and ("method" not in found or "id" not in found):
        logger.warning("Dropped a line of input: it is JSON, but not a valid JSON-RPC 2.0 message.")
        return None, None
    return None, _error(number, INVALID_REQUEST, "The line is JSON, but not a valid JSON-RPC 2.0 request.")


def _error(number: str | int | None, code: int, message: str) -> JSONRPCError:
    return JSONRPCError(jsonrpc="2.0", id=number, error=ErrorData(code=code, message=message))


def _line(message: JSONRPCMessage) -> bytes:
    try:
        text = message.model_dump_json(by_alias=True, exclude_unset=True)
    except (PydanticSerializationError, UnicodeError):
        # Halves of characters can only be written as escapes.
        text = json.dumps(message.model_dump(by_alias=True, exclude_unset=True), default=str)
    return sendable_json(text).encode() + b"\n"


def _claimed(descriptor: int, instead: int | None) -> int:
    """A duplicate of a standard stream that only this server uses.

    Args:
        instead: the descriptor that other users of the stream get from now on; None for /dev/null.
    """
    own = os.dup(descriptor)
    os.dup2(os.open(os.devnull, os.O_RDWR) if instead is None else instead, descriptor)
    return own
