"""The audit log: one line per decision about money, on stderr and in a file that the operator names."""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import stat
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

from deeporigin_mcp.errors import SettingsError, SpendingLimitError
from deeporigin_mcp.platform import Execution
from deeporigin_mcp.platform.records.sanitizing import masked, one_line
from deeporigin_mcp.platform.records.values import utc_stamp
from deeporigin_mcp.settings import Settings, TokenClaims

logger = logging.getLogger("deeporigin_mcp.audit")

FILE_MODE = 0o600
REASON_CHARACTERS = 500


class AuditLog:
    """Appends lines; keeps no file open between them.

    Args:
        path: file of JSON lines, created for its owner only; None for stderr alone.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path

    @classmethod
    def checked(cls, path: Path | None) -> AuditLog:
        """A log whose file can be written; checked at the start, not at the first decision.

        Raises:
            SettingsError: it cannot be written.
        """
        log = cls(path)
        try:
            log._append(b"")
        except OSError as error:
            raise SettingsError(
                f"DEEPORIGIN_MCP_AUDIT_LOG cannot be written: {error.strerror or type(error).__name__}."
            ) from None
        return log

    def record(
        self,
        settings: Settings,
        execution: Execution,
        decision: str,
        reason: str,
        *,
        price: Decimal | None = None,
        now: float,
    ) -> None:
        """Write one decision: who, what, how much, by which rule. No inputs, no secrets.

        Args:
            price: USD; None for the quoted price.

        Raises:
            SpendingLimitError: the file cannot be written. What is not on record must not start.
        """
        usd = execution.quoted_price if price is None else price
        line = {
            "at": utc_stamp(now),
            "decision": decision,
            "execution_id": execution.execution_id,
            "tool": f"{execution.tool_key}@{execution.tool_version}",
            "price_usd": None if usd is None else float(usd),
            "project_id": execution.project_id,
            "organization": settings.org_key,
            "user": user_of(settings),
            "session": settings.session,
            "reason": one_line(reason, REASON_CHARACTERS),
        }
        try:
            self._append(_as_json(line).encode() + b"\n")
        except OSError:
            if decision == "approved":
                line |= {"decision": "refused", "reason": "the audit log cannot be written"}
            logger.info("%s", _as_json(line))
            raise SpendingLimitError(
                "The operator's audit log (DEEPORIGIN_MCP_AUDIT_LOG) cannot be written, and what is not on record must "
                "not start.",
                code="not_on_record",
            ) from None
        logger.info("%s", _as_json(line))

    def _append(self, line: bytes) -> None:
        """Append a whole line or nothing.

        Raises:
            OSError: it is not an ordinary file, or the disk is full; a part that was written is removed.
        """
        if self._path is None:
            return
        # Without O_NONBLOCK, opening a pipe would block.
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        descriptor = os.open(self._path, flags, FILE_MODE)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError(errno.EINVAL, "it is not an ordinary file")
            # Several processes may append to the same file.
            with _locked(descriptor):
                _append_whole(descriptor, line)
        finally:
            os.close(descriptor)


def _as_json(line: dict[str, str | float | None]) -> str:
    """ASCII, so that no character of the platform can end a line or be unwritable; without secrets."""
    return masked(json.dumps(line))


def user_of(settings: Settings) -> str:
    """Whose token it is: the email address, or else the id."""
    claims = TokenClaims.read(settings.token) if settings.token is not None else TokenClaims()
    return one_line(claims.email or claims.subject, 120)


def _append_whole(descriptor: int, line: bytes) -> None:
    size = os.lseek(descriptor, 0, os.SEEK_END)
    if line and size:
        os.lseek(descriptor, -1, os.SEEK_END)
        if os.read(descriptor, 1) != b"\n":
            # Another process was stopped in the middle of a line.
            line = b"\n" + line
    try:
        if os.write(descriptor, line) != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError:
        os.ftruncate(descriptor, size)
        raise


@contextlib.contextmanager
def _locked(descriptor: int) -> Iterator[None]:
    """Lock the file against other processes of this program; closing the file unlocks it."""
    if sys.platform == "win32":
        import msvcrt

        # A byte far behind the end: locked bytes of the file itself could not be read.
        os.lseek(descriptor, 2**40, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_LOCK, 1)
        try:
            yield
        finally:
            os.lseek(descriptor, 2**40, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
