"""Finding the platform's tool for a task: all of them, those that the query's words name first."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any, NamedTuple

from pydantic import Field

from deeporigin_mcp.platform import ToolDefinition
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.tools.catalogue.definitions import allowed_definitions, idle_rules
from deeporigin_mcp.tools.responses import steps
from deeporigin_mcp.tools.responses.views import PlatformToolListView, PlatformToolRow
from deeporigin_mcp.tools.runtime.state import ToolContext, state_of

MAX_QUERY_WORDS = 30
MAX_OTHERS = 60
"""Tools that are named by their key only."""
MAX_TEXT = 500
"""Characters of a name or description that are searched."""
MAX_NODES = 500
MAX_VALUES = 300
"""Parts of one schema that are searched, and values of enumerations in them."""
SHORTEST_BEGINNING = 4
"""Letters in which two words have to begin alike: dock and docking, ligands and ligand."""

_WORD = re.compile(r"[a-z0-9]+")
_TEST = re.compile(r"(?<![a-z])test")
_COMMON = frozenset(
    ("all", "and", "any", "for", "from", "how", "into", "make", "predict", "run", "that", "the", "tools", "use", "with")
)


async def find_platform_tools(
    ctx: ToolContext,
    query: Annotated[str, Field(description="Words for the task, e.g. dock ligands; empty lists all.")] = "",
    limit: Annotated[int, Field(description="1 to 100.", ge=1, le=100)] = 30,
    include_disabled: Annotated[bool, Field(description="Also tools that cannot run now.")] = False,
) -> PlatformToolListView:
    """Find scientific tools that the platform can run (docking, free energies, ADMET, …), best match first.

    The first step of a new run: it gives the tool_key. Tools that match less are named in `others`. Free, reads only.
    """
    newest: dict[str, ToolDefinition] = {}
    for definition in await allowed_definitions(state_of(ctx)):
        known = newest.get(definition.key)
        if (include_disabled or definition.enabled) and (
            known is None or definition.version_order > known.version_order
        ):
            newest[definition.key] = definition
    words = _words(query)
    matched = {tool.key: _matched(tool, words) for tool in newest.values()}
    ordered = sorted(
        newest.values(),
        key=lambda tool: (
            tool.key != query.strip(),
            _is_junk(tool),
            -matched[tool.key].weight,
            not tool.is_featured,
            _share_unsaid(tool, matched[tool.key].said),
            tool.key,
        ),
    )
    best = max((found.weight for found in matched.values()), default=0)
    matching = [tool for tool in ordered if 2 * matched[tool.key].weight > best or tool.key == query.strip()]
    listed = matching or ordered
    others = [one_line(tool.key, 80) for tool in [*listed[limit:], *(tool for tool in ordered if tool not in listed)]]
    next_step = None
    if listed:
        described = steps.call("describe_platform_tool", tool_key=listed[0].key)
        next_step = f"{described} shows inputs and an example."
        if words and not matching:
            next_step = f"No tool holds a word of {one_line(query, 60)!r}; all are listed. {next_step}"
    elif not newest:
        next_step = await idle_rules(state_of(ctx))
    return PlatformToolListView(
        tools=[_row(tool, matched[tool.key].said.values()) for tool in listed[:limit]],
        others=others[:MAX_OTHERS] or None,
        count=len(listed),
        has_more=len(listed) > limit or len(others) > MAX_OTHERS,
        next_step=next_step,
    )


def _words(text: str) -> list[str]:
    """The words of a query that can name something, once each."""
    found = [word for word in _WORD.findall(text[:MAX_TEXT].lower()) if len(word) > 2 and word not in _COMMON]
    return list(dict.fromkeys(found))[:MAX_QUERY_WORDS]


class _Matched(NamedTuple):
    """What a tool holds of a query: word → the word, or the value of its inputs that it names; and how much that is."""

    said: dict[str, str]
    weight: int


def _matched(tool: ToolDefinition, words: Sequence[str]) -> _Matched:
    """A word of the key or name counts most; values are often named like another tool."""
    said: dict[str, str] = {}
    weight = 0
    for texts, worth in (((_own_key(tool), tool.name), 4), ((tool.description,), 2)):
        terms = {*_terms(*texts)}
        found = [word for word in words if word not in said and any(_is_same(word, term) for term in terms)]
        said |= {word: word for word in found}
        weight += worth * len(found)
    if len(said) < len(words):
        for value in itertools.islice(_values(tool.inputs_schema), MAX_VALUES):
            terms = {*_terms(value)}
            found = [word for word in words if word not in said and any(_is_same(word, term) for term in terms)]
            said |= dict.fromkeys(found, value)
            weight += len(found)
    return _Matched(said, weight)


def _terms(*texts: str) -> Iterator[str]:
    for text in texts:
        yield from _WORD.findall(text[:MAX_TEXT].lower())


def _own_key(tool: ToolDefinition) -> str:
    """A key without its owner."""
    return tool.key.partition(".")[2] or tool.key


def _is_same(word: str, term: str) -> bool:
    """Whether two words are one, or one is the beginning of the other."""
    shorter, longer = sorted((word, term), key=len)
    return word == term or (len(shorter) >= SHORTEST_BEGINNING and longer.startswith(shorter))


def _share_unsaid(tool: ToolDefinition, matched: Iterable[str]) -> float:
    """How much of a key nobody asked for: of tools that hold as many words, `docking` comes before others."""
    terms = [*_terms(_own_key(tool))]
    return sum(not any(_is_same(word, term) for word in matched) for term in terms) / max(1, len(terms))


def _values(schema: Any) -> Iterator[str]:
    """The values that inputs may have, each with its input and its name for people."""
    waiting: list[tuple[str, Any]] = [("", schema)]
    for name, node in itertools.islice(waiting, MAX_NODES):
        inner: list[tuple[str, Any]] = []
        if isinstance(node, list):
            inner = [(name, entry) for entry in node]
        elif isinstance(node, dict):
            options, names = node.get("enum"), node.get("x-enum-display-names")
            for place, option in enumerate(options if isinstance(options, list) else ()):
                said = names[place] if isinstance(names, list) and place < len(names) else ""
                if isinstance(option, str):
                    yield f"{name}: {option}" + (f" ({said})" if said and isinstance(said, str) else "")
            for key in ("properties", "$defs", "definitions"):
                fields = node.get(key)
                inner += fields.items() if isinstance(fields, dict) else []
            inner += [(name, node[key]) for key in ("items", "allOf", "anyOf", "oneOf") if key in node]
        waiting += inner[: MAX_NODES - len(waiting)] if len(waiting) < MAX_NODES else []


def _is_junk(tool: ToolDefinition) -> bool:
    """Tests of the platform's developers, and rows that say nothing about themselves (platform-facts 1.11)."""
    return bool(_TEST.search(tool.key.lower())) or not (tool.name or tool.description)


def _row(tool: ToolDefinition, matched: Iterable[str]) -> PlatformToolRow:
    return PlatformToolRow(
        tool_key=tool.key,
        tool_version=tool.version,
        name=one_line(tool.name, 80) or None,
        description=one_line(tool.description, 200) or None,
        enabled=None if tool.enabled else False,
        featured=tool.is_featured or None,
        matched=one_line(", ".join(dict.fromkeys(matched)), 80) or None,
    )
