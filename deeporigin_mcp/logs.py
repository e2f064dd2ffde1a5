"""Output of the program: log lines on stderr, without stack traces and secrets, and text for a person on stdout."""

from __future__ import annotations

import logging
import os
import select
import sys
import threading
from queue import SimpleQueue
from types import FrameType

MAX_LINE_BYTES = 4_000
MAX_WAITING_LINES = 1_000
"""Queued lines while nobody reads stderr, as with some clients; further lines are dropped and counted."""
FLUSH_SECONDS = 1.0
"""How long the process waits at its end for queued lines."""


class OneLineFormatter(logging.Formatter):
    """One line of bounded length. No traceback: it would show paths of the machine, and may hold secrets."""

    def format(self, record: logging.LogRecord) -> str:
        # Imported here: commands that use `leave_at_once` need not load the platform.
        from deeporigin_mcp.platform.records.sanitizing import HARMFUL, masked

        text = f"{self.formatTime(record)} {record.levelname} {record.name}: {record.getMessage()}"
        if record.exc_info and record.exc_info[0] is not None:
            text += f" ({record.exc_info[0].__name__})"
        text = masked(HARMFUL.sub(" ", text))
        encoded = text.encode("utf-8", "replace")
        if len(encoded) > MAX_LINE_BYTES:
            text = encoded[:MAX_LINE_BYTES].decode("utf-8", "ignore") + "…"
        return text


class LineWriter(logging.Handler):
    """Writes lines to a descriptor in its own thread, so that no call waits for a slow reader."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._waiting: SimpleQueue[bytes | threading.Event] = SimpleQueue()
        self._dropped = 0
        self._thread = self._started()

    def _started(self) -> threading.Thread:
        # Not through sys.stderr: at its end the interpreter would wait for the lock of a blocked write.
        thread = threading.Thread(target=self._write_all, name="log", daemon=True)
        thread.start()
        return thread

    def emit(self, record: logging.LogRecord) -> None:
        if not self._thread.is_alive():
            # This process was forked, and threads are not.
            self._thread = self._started()
        if self._waiting.qsize() >= MAX_WAITING_LINES:
            self._dropped += 1
            return
        try:
            line = self.format(record)
        except Exception:  # noqa: BLE001 (a library's faulty log call must not end our call)
            line = f"{record.levelname} {record.name}: a line that cannot be formatted"
        self._waiting.put(line.encode("utf-8", "replace") + b"\n")

    def flush(self) -> None:
        """Wait until earlier lines are written, at most `FLUSH_SECONDS`."""
        written = threading.Event()
        self._waiting.put(written)
        written.wait(FLUSH_SECONDS)

    def _write_all(self) -> None:
        while True:
            line = self._waiting.get()
            if isinstance(line, threading.Event):
                line.set()
                continue
            write_all(self._descriptor, line)
            if self._dropped:
                dropped, self._dropped = self._dropped, 0
                write_all(self._descriptor, f"{dropped} log lines were dropped: nobody read stderr.\n".encode())


def write_all(descriptor: int, data: bytes) -> bool:
    """Write all of `data` to a pipe or file, waiting for a slow reader; False if there is no reader."""
    while data:
        try:
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:
            # The other side shares the descriptor and has made it non-blocking.
            select.select([], [descriptor], [])
        except OSError:
            return False
    return True


def open_closed_streams() -> None:
    """Open the null device for each closed standard stream, as the next opened file would take its number."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)


def configure_logging(level: str) -> None:
    """Send all logging to stderr, as standard output is the protocol's. The audit log is always on."""
    handler = LineWriter(2)
    handler.setFormatter(OneLineFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    if level == "INFO":
        # At this level libraries log addresses with ids, and error texts with arguments.
        for library in ("httpx", "mcp"):
            logging.getLogger(library).setLevel(logging.WARNING)
    logging.getLogger("deeporigin_mcp.audit").setLevel(logging.INFO)


def say(text: str, end: str = "\n") -> None:
    """Print for a person. If the reader has left, as `head` does, the process ends."""
    encoding = sys.stdout.encoding or "utf-8"
    try:
        sys.stdout.write((text + end).encode(encoding, "replace").decode(encoding))
        sys.stdout.flush()
    except BrokenPipeError:
        os._exit(1)


def leave_at_once(number: int, _: FrameType | None) -> None:
    """End the process at a signal, without a traceback and without waiting for running calls."""
    for handler in logging.root.handlers:
        handler.flush()
    os._exit(128 + number)
