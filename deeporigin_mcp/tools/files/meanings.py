"""What a run's own tool says of its columns, before what is known of them anyway: units, directions, ranges."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

import anyio

from deeporigin_mcp.errors import DeepOriginError
from deeporigin_mcp.platform import DeepOriginClient, Execution
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.platform.records.values import Json, as_object, text
from deeporigin_mcp.tools.files.columns import UNIT_CHARACTERS, Column, column_of

MEANING_CHARACTERS = 100
MAX_NODES = 2_000
"""Of a tool's output schema."""
DEFINITION_SECONDS = 3.0
"""What a tool says of its columns is worth a moment, not a wait."""
ENERGIES = ("kcal/mol", "kJ/mol")
"""A row's one `unit` is that of its energies; of its other numbers it says nothing."""
_BETTER = re.compile(r"\b(higher|lower)(?: (?:is|are|values?|scores?|numbers?))* better\b", re.IGNORECASE)


class Meanings:
    """What the run's tool says of its columns, and what is known of them anyway.

    Args:
        documented: by column, what the tool's output schema says.
    """

    def __init__(self, documented: Mapping[str, Json]) -> None:
        self._documented = documented

    @classmethod
    async def of(cls, client: DeepOriginClient, execution: Execution) -> Meanings:
        """Those of a run's tool. Without its definition only what is known anyway."""
        key, version = execution.tool_key, execution.tool_version
        definition = client.tools.known(tool_key=key, tool_version=version)
        if definition is None and key and version:
            # If it cannot be read, units are missing, nothing else.
            with anyio.move_on_after(DEFINITION_SECONDS), contextlib.suppress(DeepOriginError):
                definition = await client.tools.definition(tool_key=key, tool_version=version)
        return cls(_documented_in(definition.outputs_schema) if definition else {})

    def column(self, name: str) -> Column:
        """What is known of a column. The tool's own word counts most."""
        known, said = column_of(name), self._documented.get(name, {})
        return known._replace(**{field: value for field, value in said.items() if value})

    def better(self, name: str) -> str:
        """`lower`, `higher`, or empty if nobody says which is better."""
        return self.column(name).better

    def unit(self, name: str, rows: Iterable[Mapping[str, Any]]) -> str:
        """The unit of a column of numbers: the one that rows name beside it, else what is known of it.

        Where rows name several, the column that has them, such as `see ddG.unit`.
        """
        known, holder = self.column(name).unit, name.rpartition(".")[0]
        if not holder and known not in ENERGIES:
            return known
        beside = f"{holder}.unit" if holder else "unit"
        having = [row for row in rows if is_number(value_of(row, name))]
        units = {one_line(unit, UNIT_CHARACTERS) for row in having if (unit := text(value_of(row, beside)))}
        return f"see {beside}" if len(units) > 1 else next(iter(units), known)


def value_of(facts: Mapping[str, Any], column: str) -> Any:
    """A column's value, None if there is none. `ddG.total` is the field total of the object ddG."""
    if column in facts:
        return facts[column]
    holder, _, field = column.partition(".")
    return as_object(facts.get(holder)).get(field)


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _documented_in(schema: Json) -> dict[str, Json]:
    """By column, what an output schema says of its numbers: the fields of objects, however deep they are."""
    found: dict[str, Json] = {}
    waiting: list[tuple[str, Any]] = [("", schema)]
    for holder, node in islice(waiting, MAX_NODES):
        if isinstance(node, list):
            waiting += [(holder, part) for part in node]
        if not isinstance(node, dict):
            continue
        for name, part in as_object(node.get("properties")).items():
            if isinstance(part, dict):
                for column in (name, f"{holder}.{name}"):
                    found.setdefault(column, _said_of(part))
                waiting.append((name, part))
        waiting += [(holder, node[key]) for key in ("items", "allOf", "anyOf", "oneOf") if key in node]
        for key in ("$defs", "definitions"):
            waiting += as_object(node.get(key)).items()
    return found


def _said_of(node: Json) -> Json:
    said = text(node.get("description"))
    better = _BETTER.search(said)
    units = (text(node.get(name)) for name in ("unit", "units", "x-unit", "x-units"))
    low, high = (bound if is_number(bound := node.get(name)) else None for name in ("minimum", "maximum"))
    span = {(True, True): f"{low} to {high}", (True, False): f"from {low}", (False, True): f"up to {high}"}
    return {
        "unit": one_line(next(filter(None, units), ""), UNIT_CHARACTERS),
        "better": better[1].lower() if better else "",
        "range": span.get((low is not None, high is not None), ""),
        "meaning": one_line(said, MEANING_CHARACTERS),
    }
