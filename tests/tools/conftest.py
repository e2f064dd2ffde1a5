"""Fixtures of the tests of tools."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from mcp.client.session import ClientSession
from mcp_types import ClientCapabilities, ElicitationCapability


@pytest.fixture
def declare(monkeypatch: pytest.MonkeyPatch) -> Callable[[ElicitationCapability], None]:
    """Makes clients declare another elicitation capability than the SDK's client does."""
    usual = ClientSession._build_capabilities

    def put(capability: ElicitationCapability) -> None:
        def build(session: ClientSession, *arguments: Any, **named: Any) -> ClientCapabilities:
            return usual(session, *arguments, **named).model_copy(update={"elicitation": capability})

        monkeypatch.setattr(ClientSession, "_build_capabilities", build)

    return put


@pytest.fixture
def audited(caplog: pytest.LogCaptureFixture) -> Iterator[list[dict[str, Any]]]:
    """The audit log's lines on the logger, as they come."""
    lines: list[dict[str, Any]] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            message = record.getMessage()
            assert len(message.splitlines()) == 1
            lines.append(json.loads(message))

    caplog.set_level(logging.INFO, "deeporigin_mcp.audit")
    logging.getLogger("deeporigin_mcp.audit").addHandler(handler := Keep())
    yield lines
    logging.getLogger("deeporigin_mcp.audit").removeHandler(handler)
