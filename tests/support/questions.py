"""Elicitation as a client of 2026-07-28 sees it: a result that asks, and a call that answers."""

from __future__ import annotations

from typing import Any

from mcp import Client
from mcp_types import (
    CallToolResult,
    ElicitResult,
    InputRequiredResult,
    TextContent,
)

from tests.support.errors import ErrorFacts, error_of
from tests.support.people import YES


async def ask(client: Client, name: str) -> InputRequiredResult:
    """Begin a confirmation and stop at its question."""
    asked = await client.session.call_tool("confirm_execution", {"execution_id": name}, allow_input_required=True)
    assert isinstance(asked, InputRequiredResult)
    return asked


async def answer(
    client: Client, name: str, asked: InputRequiredResult, said: ElicitResult = YES, **more: Any
) -> CallToolResult | InputRequiredResult:
    """Bring a person's answer to a question that this or another worker asked."""
    return await client.session.call_tool(
        "confirm_execution",
        {"execution_id": name, **more},
        input_responses=dict.fromkeys(asked.input_requests or {}, said),
        request_state=asked.request_state,
        allow_input_required=True,
    )


def error_in(result: CallToolResult | InputRequiredResult) -> ErrorFacts:
    assert isinstance(result, CallToolResult)
    return error_of(result)


def text_of(result: CallToolResult | InputRequiredResult) -> str:
    assert isinstance(result, CallToolResult)
    return "\n".join(block.text for block in result.content if isinstance(block, TextContent))
