"""What the program says: log records of one line on stderr, without stack traces and secrets, and text on stdout."""

from __future__ import annotations

import logging
import os
import sys
from types import FrameType


class OneLineFormatter(logging.Formatter):
    """Drops tracebacks: frames show paths of the machine, and values in them may be secret."""

    def format(self, record: logging.LogRecord) -> str:
        text = f"{self.formatTime(record)} {record.levelname} {record.name}: {record.getMessage()}"
        if record.exc_info and record.exc_info[0] is not None:
            text += f" ({record.exc_info[0].__name__})"
        return " ".join(text.splitlines())


def configure_logging(level: str) -> None:
    """Send all logging to stderr; standard output belongs to the protocol. The audit log is always on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLineFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    if level == "INFO":
        # Lines of libraries at this level repeat addresses with ids, and texts of refusals with arguments.
        for library in ("httpx", "mcp"):
            logging.getLogger(library).setLevel(logging.WARNING)
    logging.getLogger("deeporigin_mcp.audit").setLevel(logging.INFO)


def say(text: str, end: str = "\n") -> None:
    """Write to standard output, for a person. If the reader has left, as `head` does, the process ends too."""
    encoding = sys.stdout.encoding or "utf-8"
    try:
        sys.stdout.write((text + end).encode(encoding, "replace").decode(encoding))
        sys.stdout.flush()
    except BrokenPipeError:
        os._exit(1)


def leave_at_once(number: int, _: FrameType | None) -> None:
    """End the process at a signal, without the traceback and the wait of an orderly end."""
    sys.stderr.flush()
    os._exit(128 + number)
