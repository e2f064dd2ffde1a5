"""Write docs/reference/ from the program: its tools, settings, errors and commands.

    python scripts/reference.py [--check]

`--check` writes nothing and names the pages that would change; the exit code is 1 then.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
from mcp import Client

from deeporigin_mcp import cli, errors
from deeporigin_mcp.errors import DeepOriginError, SettingsError
from deeporigin_mcp.server import create_server
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.settings.own import VARIABLES
from deeporigin_mcp.tools.responses.errors import OUTCOMES
from deeporigin_mcp.tools.responses.toolsets import TOOLSETS

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "reference"
MADE = "<!-- Written by scripts/reference.py; change what it reads. -->"
WRONG = ("\x07", ",", "?", "x;y")
"""Values of which each variable refuses at least one, if it refuses anything."""


def page(title: str, *parts: str) -> str:
    return "\n\n".join([f"# {title}", MADE, *parts]) + "\n"


def table(*rows: tuple[str, ...]) -> str:
    lines = [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows]
    return "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:]])


# Tools


def type_of(schema: dict[str, Any]) -> str:
    """A schema's type in a few words, such as `list of text`."""
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "anyOf" in schema or "oneOf" in schema:
        return " or ".join(dict.fromkeys(type_of(one) for one in schema.get("anyOf", schema.get("oneOf", ()))))
    kinds = {"string": "text", "integer": "whole number", "boolean": "true or false", "object": "object"}
    kind = schema.get("type", "any")
    if kind == "array":
        return f"list of {type_of(schema.get('items', {}))}"
    low, high = schema.get("minimum"), schema.get("maximum")
    bounds = (
        "" if low is None and high is None else f", {low:,} or more" if high is None else f", {low or 0:,} to {high:,}"
    )
    return kinds.get(kind, str(kind)) + (bounds if kind in ("integer", "number") else "")


def parameters(schema: dict[str, Any]) -> str:
    rows = [("parameter", "type", "default", "meaning")]
    for name, one in schema["properties"].items():
        default = (
            "needed"
            if name in schema.get("required", ())
            else f"`{json.dumps(one['default'])}`"
            if "default" in one
            else ""
        )
        rows.append((f"`{name}`", type_of(one), default, one.get("description", "")))
    return table(*rows) if len(rows) > 1 else "It has no parameters."


def fields(schema: dict[str, Any]) -> str:
    required = schema.get("required", ())
    names = [f"`{name}`" for name in schema["properties"] if name in required]
    others = [f"`{name}`" for name in schema["properties"] if name not in required]
    if not names:
        return f"Returns, where there is something to say: {', '.join(others)}."
    return f"Returns {', '.join(names)}{'; where there is something to say: ' + ', '.join(others) if others else ''}."


def hints_of(tool: Any) -> list[str]:
    """What a tool changes; of one that only reads, its description says so."""
    hints = tool.annotations
    if hints.read_only_hint:
        return []
    changes = "Changes something that cannot be taken back" if hints.destructive_hint else "Changes something"
    return [f"{changes}{'; the same call again changes nothing more' if hints.idempotent_hint else ''}."]


def tools_page() -> str:
    async def listed() -> tuple[dict[str, Any], list[Any], list[Any]]:
        async with Client(create_server(Settings())) as client:
            tools = {tool.name: tool for tool in (await client.list_tools()).tools}
            templates = (await client.list_resource_templates()).resource_templates
            return tools, templates, (await client.list_prompts()).prompts

    tools, templates, prompts = anyio.run(listed)
    about = "What a model is shown, word for word; its client also gets the JSON Schema of parameters and results."
    parts = [f"{about} Over HTTP the parameters `path`, `folder` and `combine` do not exist."]
    for toolset, names in TOOLSETS.items():
        parts.append(f"## Toolset {toolset}")
        for name in names:
            tool = tools[name]
            parts += [
                f"### {name}",
                *hints_of(tool),
                tool.description,
                parameters(tool.input_schema),
                fields(tool.output_schema),
            ]
    parts += [
        "## Resources",
        "Beside these, the newest executions are listed. Executions and their logs can be subscribed to.",
        table(("address", "what"), *((f"`{one.uri_template}`", one.description) for one in templates)),
        "## Prompts",
        table(
            ("prompt", "arguments", "what"), *((f"`{one.name}`", arguments(one), one.description) for one in prompts)
        ),
    ]
    return page("Tools", *parts)


def arguments(prompt: Any) -> str:
    return ", ".join(f"`{one.name}`" + ("" if one.required else " (optional)") for one in prompt.arguments or ())


# Settings


def valid_values(name: str, described: dict[str, Any]) -> str:
    """What the error of an invalid value says is valid."""
    if "choices" in described:
        return ", ".join(described["choices"])
    for wrong in () if described["isSecret"] or name not in VARIABLES else WRONG:
        try:
            VARIABLES[name](name, wrong)
        except SettingsError as error:
            if found := re.search(r"Valid: ([^;]*?)(?:;.*|\.)$", str(error)):
                return found[1]
    return ""


def settings_page() -> str:
    server = json.loads((ROOT / "server.json").read_text(encoding="utf-8"))
    described = {one["name"]: one for one in server["packages"][0]["environmentVariables"]}

    def row(name: str) -> tuple[str, ...]:
        meaning, _, default = described[name]["description"].partition(" Default: ")
        valid = valid_values(name, described[name])
        return (
            f"`{name}`",
            f"{meaning} Valid: {valid}." if valid.split(",")[0] not in meaning else meaning,
            default.rstrip(".") or (f"`{described[name]['default']}`" if "default" in described[name] else "none"),
        )

    head = ("variable", "meaning", "default")
    official = [row(name) for name in described if name not in VARIABLES]
    return page(
        "Settings",
        "Environment variables. How they work together is in [Configuration](../configuration.md), and for a server of "
        "many users in [Over HTTP](../http.md).",
        "## Of Deep Origin",
        "The official client reads them too.",
        table(head, *official),
        "## Of this server",
        "With an invalid value, or an unknown variable `DEEPORIGIN_MCP_…`, the server does not start.",
        table(head, *map(row, VARIABLES)),
    )


# Errors


def classes(root: type[DeepOriginError] = DeepOriginError) -> Iterator[type[DeepOriginError]]:
    for one in root.__subclasses__():
        if one.__module__ == errors.__name__:
            yield one
            yield from classes(one)
    if root is DeepOriginError:
        yield root


def errors_page() -> str:
    text = errors.__doc__ or ""
    acts = re.findall(r"^    [├└]── (\w+) +([^(\n]*[^(\n ])", text, re.MULTILINE)
    finer: dict[str, list[tuple[str, str]]] = {}
    owner = ""
    for name, codes, words in re.findall(r"^\| (\w*) ?\| (`.*`) \| (.*) \|$", text, re.MULTILINE):
        owner = name or owner
        finer.setdefault(owner, []).append((codes, words))
    rows = [("code", "meaning", "error")]
    for one in classes():
        own = [] if one is DeepOriginError else [(f"`{one.code}`", sentence(one))]
        rows += [(codes, words, one.__name__) for codes, words in [*own, *finer.get(one.__name__, [])]]
    return page(
        "Errors",
        "An error of a tool says what happened, what the call has done, and what to do next. For programs its `code` "
        "and `outcome` are in `_meta`, under `deeporigin-mcp/error`; codes stay the same over releases.",
        "## Who can act",
        table(("error", "who can act, and how"), *acts),
        "## Outcomes",
        "What the call has done, where it could have changed something.",
        table(("outcome", "meaning"), *((f"`{name}`", words) for name, words in OUTCOMES.items())),
        "## Codes",
        table(*rows),
    )


def sentence(one: type) -> str:
    """The first line of a docstring as a part of a table, without what is only for readers of the code."""
    first = re.sub(r" \((?:platform-facts|design)[^)]*\)", "", (one.__doc__ or "").splitlines()[0]).rstrip(".")
    return first[:1].lower() + first[1:]


# Commands


def commands_page() -> str:
    parser = cli._parser()  # noqa: SLF001 - what it parses is what is described
    [commands] = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]  # noqa: SLF001
    helps = {choice.dest: choice.help for choice in commands._choices_actions}  # noqa: SLF001
    parts = [f"`deeporigin-mcp [COMMAND]`. {(parser.description or '').split('. ', 1)[1]}"]
    for name, command in commands.choices.items():
        words = helps[name] or ""
        parts += [f"## {name}", f"{words[:1].upper()}{words[1:]}."]
        actions = [one for one in command._actions if not isinstance(one, argparse._HelpAction)]  # noqa: SLF001
        rows = [("option", "meaning"), *((f"`{usage(one)}`", meaning(one)) for one in actions)]
        parts += [table(*rows)] if len(rows) > 1 else []
        parts += [command.epilog] if command.epilog else []
    return page("Commands", *parts)


def usage(action: argparse.Action) -> str:
    metavar = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
    if not action.option_strings:
        return {"?": f"[{metavar}]", "*": f"[{metavar} …]"}.get(str(action.nargs), metavar)
    value = "" if action.nargs == 0 else f" [{metavar}]" if action.nargs == "?" else f" {metavar}"
    return ", ".join(action.option_strings) + value


def meaning(action: argparse.Action) -> str:
    words = (action.help or "") % {"default": action.default}
    choices = [str(choice) for choice in action.choices or () if str(choice) not in words]
    return "; ".join(part for part in (words, ", ".join(choices)) if part)


def main(*, check: bool) -> int:
    pages = {"tools": tools_page(), "settings": settings_page(), "errors": errors_page(), "commands": commands_page()}
    stale = [name for name, text in pages.items() if not is_written(FOLDER / f"{name}.md", text)]
    if check:
        sys.stdout.writelines(f"docs/reference/{name}.md is not what scripts/docs writes.\n" for name in stale)
        return 1 if stale else 0
    FOLDER.mkdir(exist_ok=True)
    for name in stale:
        (FOLDER / f"{name}.md").write_text(pages[name], encoding="utf-8")
    return 0


def is_written(path: Path, text: str) -> bool:
    return path.exists() and path.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv[1:]))
