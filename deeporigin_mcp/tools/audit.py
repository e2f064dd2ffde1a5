"""The record of decisions about money: one line each on stderr, and in a file where the operator names one."""

from __future__ import annotations

import errno
import json
import logging
import os
from pathlib import Path

from deeporigin_mcp.errors import SettingsError, SpendingLimitError
from deeporigin_mcp.platform import Execution
from deeporigin_mcp.platform.failures import one_line
from deeporigin_mcp.platform.wire import utc_stamp
from deeporigin_mcp.settings import Settings, TokenClaims

logger = logging.getLogger("deeporigin_mcp.audit")

FILE_MODE = 0o600
REASON_CHARACTERS = 500


class AuditLog:
    """Appends lines; holds no file open.

    Args:
        path: file of JSON lines, created for its owner only; None for stderr alone.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path

    @classmethod
    def checked(cls, path: Path | None) -> AuditLog:
        """A log whose file can be written.

        Raises:
            SettingsError: it cannot; better known at the start than at the first decision.
        """
        log = cls(path)
        try:
            log._append(b"")
        except OSError as error:
            raise SettingsError(
                f"DEEPORIGIN_MCP_AUDIT_LOG cannot be written: {error.strerror or type(error).__name__}."
            ) from None
        return log

    def record(self, settings: Settings, execution: Execution, decision: str, reason: str, *, now: float) -> None:
        """Write one decision: who, what, how much, by which rule. No inputs, no secrets.

        Raises:
            SpendingLimitError: the file cannot be written. What is not on record must not start.
        """
        claims = TokenClaims.read(settings.token) if settings.token is not None else TokenClaims()
        line = {
            "at": utc_stamp(now),
            "decision": decision,
            "execution_id": execution.execution_id,
            "tool": f"{execution.tool_key}@{execution.tool_version}",
            "price_usd": execution.quoted_price,
            "project_id": execution.project_id,
            "organization": settings.org_key,
            "user": one_line(claims.email or claims.subject, 120),
            "session": settings.session,
            "reason": one_line(reason, REASON_CHARACTERS),
        }
        # ASCII, so that no character of the platform's can end a line or be unwritable.
        try:
            self._append(json.dumps(line).encode() + b"\n")
        except OSError:
            if decision == "approved":
                line |= {"decision": "refused", "reason": "the audit log cannot be written"}
            logger.info("%s", json.dumps(line))
            raise SpendingLimitError(
                "Not done: the operator's audit log (DEEPORIGIN_MCP_AUDIT_LOG) cannot be written, and what is not on "
                "record must not start."
            ) from None
        logger.info("%s", json.dumps(line))

    def _append(self, line: bytes) -> None:
        if self._path is None:
            return
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, FILE_MODE)
        try:
            # One write of a whole line: several processes may append to the same file.
            if os.write(descriptor, line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        finally:
            os.close(descriptor)
