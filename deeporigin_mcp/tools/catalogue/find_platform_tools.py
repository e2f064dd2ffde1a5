"""Finding the platform's tool for a task: those that the query's words name first, then the keys of the others."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, NamedTuple

from pydantic import Field

from deeporigin_mcp.platform import ToolDefinition
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.tools.catalogue.definitions import allowed_definitions, unmatched_allowed_keys
from deeporigin_mcp.tools.responses import steps
from deeporigin_mcp.tools.responses.views import View
from deeporigin_mcp.tools.runtime.state import ToolContext, state_of

MAX_QUERY_WORDS = 30
MAX_OTHERS = 60
MAX_TEXT = 500
"""Characters of a name or description that are searched."""
MAX_NODES = 500
MAX_VALUES = 300
"""Nodes of one schema that are searched, and values of enumerations in them."""
KEY_WEIGHT = 4
SHORTEST_BEGINNING = 4
"""Letters in which two words have to begin alike: dock and docking, ligands and ligand."""

_WORD = re.compile(r"[a-z0-9]+")
_TEST = re.compile(r"(?<![a-z])test")
_SAME = {
    r"\b(?:binding|active|allosteric|catalytic) sites?\b|\bcavit(?:y|ies)\b": "pocket",
    r"\b(?:binding )?affinit(?:y|ies)\b|\bpotency\b": "free energy",
    r"\bpka\b|\bioni[sz]ation\b": "protonation",
    r"\boff[- ]targets?\b": "secondary pharmacology",
}
"""What chemists also say, and the words of the platform's tools for it."""
_COMMON = frozenset(
    ("all", "and", "any", "for", "from", "how", "into", "make", "predict", "run", "that", "the", "tools", "use", "with")
)


class PlatformToolRow(View):
    tool_key: str
    tool_version: str
    name: str | None = None
    description: str | None = None
    enabled: bool | None = None
    featured: bool | None = None
    matched: str | None = None


class PlatformToolListView(View):
    """`matched` names values of a tool's inputs by which it was found; `others` are keys of other tools."""

    tools: list[PlatformToolRow]
    others: list[str] | None = None
    count: int
    has_more: bool
    next_step: str | None = None


async def find_platform_tools(
    ctx: ToolContext,
    query: Annotated[
        str, Field(description="Words for the task, e.g. find pockets, dock ligands; empty lists all.")
    ] = "",
    limit: Annotated[int, Field(description="1 to 100.", ge=1, le=100)] = 30,
    include_disabled: Annotated[bool, Field(description="Also tools that cannot run now.")] = False,
) -> PlatformToolListView:
    """Find scientific tools that the platform can run (docking, free energies, ADMET, …), best match first.

    The first step of a new run. Without a good match, `others` has all other keys. Reads only.
    """
    newest: dict[str, ToolDefinition] = {}
    for definition in await allowed_definitions(state_of(ctx)):
        known = newest.get(definition.key)
        if (include_disabled or definition.enabled) and (
            known is None or definition.version_order > known.version_order
        ):
            newest[definition.key] = definition
    words = _words(query)
    matches = {tool.key: _match(tool, words) for tool in newest.values()}

    def rank(tool: ToolDefinition) -> tuple[Any, ...]:
        weight = matches[tool.key].weight
        # Of tools that match equally, docking comes before constrained-docking.
        length = len(_WORD.findall(_own_key(tool))) if weight else 0
        return tool.key != query.strip(), _is_junk(tool), -weight, not tool.is_featured, length, tool.key

    ordered = sorted(newest.values(), key=rank)
    best = max((match.weight for match in matches.values()), default=0)
    matching = [tool for tool in ordered if 2 * matches[tool.key].weight > best or tool.key == query.strip()]
    listed = matching or ordered
    others = listed[limit:]
    if not (matching and matches[matching[0].key].is_good(len(words))):
        others += [tool for tool in ordered if tool not in listed and not _is_junk(tool)]
    next_step = None
    if listed:
        next_step = f"{steps.call('describe_platform_tool', tool_key=listed[0].key)} shows inputs and an example."
        if words and not matching:
            next_step = f"No tool matches {one_line(query, 60)!r}; all are listed. {next_step}"
    elif not newest:
        next_step = await unmatched_allowed_keys(state_of(ctx))
    return PlatformToolListView(
        tools=[_row(tool, matches[tool.key]) for tool in listed[:limit]],
        others=[one_line(tool.key, 80) for tool in others[:MAX_OTHERS]] or None,
        count=len(listed),
        has_more=len(listed) > limit or len(others) > MAX_OTHERS,
        next_step=next_step,
    )


def _words(text: str) -> list[str]:
    """The words of a query that can name something, once each."""
    text = text[:MAX_TEXT].lower()
    for said, meant in _SAME.items():
        text = re.sub(said, meant, text)
    words = [word for word in _WORD.findall(text) if len(word) > 2 and word not in _COMMON]
    return list(dict.fromkeys(words))[:MAX_QUERY_WORDS]


class _Match(NamedTuple):
    """How a tool matches a query.

    Args:
        found: the words that it matches.
        values: values of its inputs by which it matches words that are not in its key, name or description.
        weight: how much that counts.
    """

    found: list[str]
    values: list[str]
    weight: int

    def is_good(self, words: int) -> bool:
        """Whether it matches all of so many words, or half of them with one in its key or name."""
        return len(self.found) == words or (self.weight >= KEY_WEIGHT and 2 * len(self.found) >= words)


def _match(tool: ToolDefinition, words: Sequence[str]) -> _Match:
    """A word of the key or name counts most; values are often named like another tool."""
    found: list[str] = []
    values: list[str] = []
    weight = 0
    for text, worth in ((f"{_own_key(tool)} {tool.name[:MAX_TEXT]}", KEY_WEIGHT), (tool.description, 2)):
        new = _in_text(text, words, found)
        found += new
        weight += worth * len(new)
    if len(found) < len(words):
        for value in itertools.islice(_values(tool.inputs_schema), MAX_VALUES):
            if new := _in_text(value, words, found):
                found += new
                values.append(value)
                weight += len(new)
    return _Match(found, values, weight)


def _in_text(text: str, words: Sequence[str], found: Sequence[str]) -> list[str]:
    """Those of the words, without those already found, that a text has."""
    terms = {*_WORD.findall(text[: 2 * MAX_TEXT].lower())}
    return [word for word in words if word not in found and any(_is_same(word, term) for term in terms)]


def _own_key(tool: ToolDefinition) -> str:
    """A key without its owner."""
    return tool.key[:MAX_TEXT].partition(".")[2] or tool.key[:MAX_TEXT]


def _is_same(word: str, term: str) -> bool:
    """Whether two words are one, or one is the beginning of the other."""
    shorter, longer = sorted((word, term), key=len)
    return word == term or (len(shorter) >= SHORTEST_BEGINNING and longer.startswith(shorter))


def _values(schema: Any) -> Iterator[str]:
    """The values that inputs may have, each with its input and its display name."""
    waiting: list[tuple[str, Any]] = [("", schema)]
    for name, node in itertools.islice(waiting, MAX_NODES):
        inner: list[tuple[str, Any]] = []
        if isinstance(node, list):
            inner = [(name, entry) for entry in node]
        elif isinstance(node, dict):
            options, names = node.get("enum"), node.get("x-enum-display-names")
            for place, option in enumerate(options if isinstance(options, list) else ()):
                label = names[place] if isinstance(names, list) and place < len(names) else ""
                if isinstance(option, str):
                    yield f"{name}: {option}" + (f" ({label})" if label and isinstance(label, str) else "")
            for key in ("properties", "$defs", "definitions"):
                fields = node.get(key)
                inner += fields.items() if isinstance(fields, dict) else []
            inner += [(name, node[key]) for key in ("items", "allOf", "anyOf", "oneOf") if key in node]
        waiting += inner[: MAX_NODES - len(waiting)] if len(waiting) < MAX_NODES else []


def _is_junk(tool: ToolDefinition) -> bool:
    """Tests of the platform's developers, and rows without name and description (platform-facts 1.11)."""
    return bool(_TEST.search(tool.key.lower())) or not (tool.name or tool.description)


def _row(tool: ToolDefinition, match: _Match) -> PlatformToolRow:
    return PlatformToolRow(
        tool_key=tool.key,
        tool_version=tool.version,
        name=one_line(tool.name, 80) or None,
        description=one_line(tool.description, 200) or None,
        enabled=None if tool.enabled else False,
        featured=tool.is_featured or None,
        matched=one_line(", ".join(match.values), 80) or None,
    )
