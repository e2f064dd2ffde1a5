"""The client that plays a solution, and what reading and writing its calls costs a model."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Self

from jsonschema import Draft202012Validator
from mcp import Client

from tests.support.bench import Agent, Answer

MOST_CALLS = 50

_NAMES = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\bdeeporigin\.[a-z-]+|\b0[0-9A-Z]{12}\b")
"""Ids of both kinds, and tool keys."""


@dataclass
class Solver(Agent):
    """An agent that counts.

    Attributes:
        now: when the task is given, UTC.
        pause: lets so many seconds go by.
        heard: all that it was told: the prompt, what the server says of itself, the answers.
        made_up: ids and tool keys in its calls that it was not told before.
        calls: the tools called, in order.
        bytes: what a model writes (arguments) and reads (structured content, or the text of an error).
    """

    now: datetime = field(kw_only=True)
    pause: Callable[[float], Awaitable[None]] = field(kw_only=True)
    heard: str = field(kw_only=True)
    made_up: list[str] = field(default_factory=list, kw_only=True)
    calls: list[str] = field(default_factory=list, kw_only=True)
    bytes: int = field(default=0, kw_only=True)

    async def call(self, tool: str, arguments: dict[str, Any]) -> Answer:
        names = _NAMES.findall(json.dumps(arguments))
        self.made_up += [name for name in names if name not in self.heard]
        answer = await super().call(tool, arguments)
        self.heard += f"\n{answer.text}"
        self.calls.append(tool)
        assert len(self.calls) <= MOST_CALLS, "a solution that goes round in circles"
        self.bytes += _bytes({"name": tool, "arguments": arguments})
        self.bytes += len(answer.text.encode()) if answer.is_error else _bytes(answer.content)
        return answer

    @classmethod
    async def of(cls, client: Client, prompt: str, now: datetime, pause: Callable[[float], Awaitable[None]]) -> Self:
        """A solver that has read what the server says of itself."""
        tools = (await client.list_tools()).tools
        told = [tool.model_dump_json(include={"name", "description", "input_schema"}) for tool in tools]
        return cls(
            client,
            {tool.name: Draft202012Validator(tool.input_schema) for tool in tools},
            {tool.name: Draft202012Validator(tool.output_schema or False) for tool in tools},
            now=now,
            pause=pause,
            heard="\n".join([prompt, client.instructions or "", *told]),
        )

    def ago(self, **span: float) -> str:
        """An instant before now, as the tools take it: `ago(days=7)`."""
        return (self.now - timedelta(**span)).strftime("%Y-%m-%dT%H:%M:%SZ")

    async def rows(self, **arguments: Any) -> list[dict[str, Any]]:
        """All rows of a list, page after page as the answers say."""
        found = await self.read("list_executions", **arguments)
        rows = list(found["executions"])
        while found["has_more"]:
            found = await self.follow(found["next_step"])
            rows += found["executions"]
        return rows


def inputs_of(tool: dict[str, Any]) -> list[str]:
    """The names of a tool's inputs, as its description has them."""
    return [*tool["inputs_schema"]["properties"]]


def required_inputs(tool: dict[str, Any]) -> list[str]:
    """Those of its inputs that must be given."""
    return [*tool["inputs_schema"].get("required", [])]


def _bytes(content: Any) -> int:
    return len(json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode())
