"""What a person reads before a yes, by whichever way they are asked (design 5)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import anyio

from deeporigin_mcp.errors import DeepOriginError
from deeporigin_mcp.platform import Execution
from deeporigin_mcp.platform.records.money import usd
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.platform.records.values import text
from deeporigin_mcp.platform.transport.responses import rows_of
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.tools.runtime.state import ToolContext, state_of
from deeporigin_mcp.tools.spending.approval import subject_of

MAX_ITEMS_SHOWN = 10
PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]*")
"""What needs no quotation marks: keys, versions, ids."""
QUOTATION_MARKS = re.compile('["\u201c-\u201f\u00ab\u00bb\u2033\u301d-\u301f\uff02]')
PROJECT_NAME_SECONDS = 3.0
"""How long a project's name may take."""


@dataclass(frozen=True)
class Question:
    """All values are sanitised text of one line.

    Args:
        execution_id: of the quote; of a run that is to be created, the fingerprint of its request, shown to nobody.
        title: the question, money first.
        price: "10.10 USD", or "an unknown price".
        facts: label and value.
        items: of the price, and what each costs.
        consequence: what yes and no do.
        about: what a yes is bound to.
    """

    execution_id: str
    title: str
    price: str
    facts: tuple[tuple[str, str], ...]
    items: tuple[tuple[str, str], ...]
    consequence: str
    about: tuple[str, ...]

    @property
    def is_quoted(self) -> bool:
        """Whether the execution exists; else a yes creates it, at a price that nobody knows yet."""
        return "Execution" in dict(self.facts)


async def question_of(ctx: ToolContext, quote: Execution) -> Question:
    """The question about a quote, or about a run that starts when it is created.

    Names that users of the platform gave stand last, so that no long name pushes the rest out of sight.
    """
    is_quoted = quote.quoted_price is not None
    items = quote.line_items
    shown = [(_value(item.name or item.code or "unnamed", 80), usd(item.total)) for item in items[:MAX_ITEMS_SHOWN]]
    return Question(
        execution_id=quote.execution_id,
        title=title_of(quote, state_of(ctx).settings),
        price=usd(quote.quoted_price),
        facts=(
            ("Tool", f"{_value(quote.tool_key, 80)} {_value(quote.tool_version, 40)}"),
            ("Name", _quoted(quote.name, 80) if quote.name else "none"),
            ("Project", await _project(ctx, quote.project_id)),
            *((("Execution", _value(quote.execution_id, 60)),) if is_quoted else ()),
        ),
        items=(
            *shown,
            *(((f"and {len(items) - MAX_ITEMS_SHOWN} more items", ""),) if len(items) > MAX_ITEMS_SHOWN else ()),
        ),
        consequence=f"Yes starts it at once and cannot be undone. {_without_a_yes(quote)}",
        about=about(quote),
    )


def about(quote: Execution) -> tuple[str, ...]:
    """What a yes is bound to: the price, the tool, its version, the project."""
    return usd(quote.quoted_price), *subject_of(quote)


def title_of(quote: Execution, settings: Settings) -> str:
    organisation = _value(settings.org_key, 80)
    return f"Start this Deep Origin run for {usd(quote.quoted_price)}, charged to {organisation}?"


def _without_a_yes(quote: Execution) -> str:
    if quote.quoted_price is None:
        return "The platform names the price only afterwards. No creates nothing."
    return "No leaves it as a quote, which costs nothing."


async def _project(ctx: ToolContext, project_id: str) -> str:
    """A project's id, and its name if that can be read soon."""
    if not PLAIN.fullmatch(project_id):
        return _value(project_id, 40) if project_id else "none"
    rows: list[dict[str, Any]] = []
    with anyio.move_on_after(PROJECT_NAME_SECONDS):
        try:
            rows = rows_of(await state_of(ctx).client.projects.get(project_id=project_id))
        except DeepOriginError:
            rows = []
    names = [text(row.get("name")) for row in rows if row.get("id") == project_id]
    name = f" {_quoted(names[0], 60)}" if names and names[0] else ""
    return _value(project_id, 40) + name


def _value(raw: str, characters: int) -> str:
    """A value of the platform: as it is if it is one plain word, else in quotation marks."""
    return shown if PLAIN.fullmatch(shown := _shown(raw, characters)) else f'"{shown}"'


def _quoted(raw: str, characters: int) -> str:
    return f'"{_shown(raw, characters)}"'


def _shown(raw: str, characters: int) -> str:
    """One line of its visible characters, without one that would end a quotation."""
    # More than is shown, but not megabytes.
    visible = "".join(each if each.isprintable() else " " for each in raw[: 10 * characters])
    return QUOTATION_MARKS.sub("'", one_line(visible, characters))
