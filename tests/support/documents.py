"""What the documents show, and what of the program they have to tell."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import anyio
from mcp import Client

from deeporigin_mcp import settings as settings_package
from deeporigin_mcp.server import create_server
from deeporigin_mcp.settings import Settings
from tests.support.processes import (
    REPOSITORY,
)

README = (REPOSITORY / "README.md").read_text()
VARIABLE = re.compile(r"(DO|DEEPORIGIN_MCP)(_[A-Z]+)+")


def listed_tools(**settings: Any) -> list[str]:
    async def names() -> list[str]:
        async with Client(create_server(Settings(**settings))) as client:
            return [tool.name for tool in (await client.list_tools()).tools]

    return anyio.run(names)


def variables_that_are_read() -> set[str]:
    """The names of variables in the source of the only package that reads any."""
    trees = [ast.parse(path.read_text()) for path in Path(settings_package.__file__).parent.glob("*.py")]
    words = (node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return {word for word in words if isinstance(word, str) and VARIABLE.fullmatch(word)}


PLACEHOLDER = re.compile(r"\$\{(?:env:|input:)?(?P<name>[\w-]+)(?::-[^}]*)?\}")
PROMPTED = {"deeporigin-token": "DO_AUTH_TOKEN", "deeporigin-org": "DO_ORG_KEY"}
"""What VS Code asks for, by the id of the input."""
