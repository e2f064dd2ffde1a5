"""The best row of each group, such as the best pose of each ligand, out of all rows that can be read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from operator import itemgetter
from typing import Any, NamedTuple

import anyio

from deeporigin_mcp.errors import ArgumentError, PlatformError
from deeporigin_mcp.platform import DeepOriginClient, Execution
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.platform.records.values import Json
from deeporigin_mcp.platform.transport.responses import rows_of
from deeporigin_mcp.tools.executions.filters import Order
from deeporigin_mcp.tools.executions.result_columns import (
    COLUMN_CHARACTERS,
    MOST_COLUMNS_NAMED,
    facts_of,
    has_column,
    no_such_column,
    numeric_in,
)
from deeporigin_mcp.tools.files.columns import KNOWN
from deeporigin_mcp.tools.files.meanings import Meanings, is_number, value_of
from deeporigin_mcp.tools.responses import steps

PAGE_ROWS = 1_000
MOST_READ = 10_000
READ_SECONDS = 30.0
"""What was read by then is compared, so that a call with many rows ends in time."""
LIGAND, SMILES = "ligand_id", "smiles"


class Best(NamedTuple):
    """Rows in their order, one of each group; by which order, out of how many rows, and what else is to be said."""

    rows: list[Json]
    order: Order
    best_by: str
    note: str | None


async def rows_to_compare(
    client: DeepOriginClient, execution: Execution, result_type: str | None
) -> tuple[list[Json], bool]:
    """The rows of a run up to `MOST_READ`, or as many as can be read in time, and whether there may be more."""
    rows: list[Json] = []

    async def page(cursor: str | None, _: int) -> Json:
        found = await client.results.page(
            compute_job_id=execution.execution_id,
            result_type=result_type,
            project_id=execution.project_id or None,
            limit=PAGE_ROWS,
            cursor=cursor,
        )
        rows.extend(rows_of(found))
        return found

    with anyio.move_on_after(READ_SECONDS) as limit:
        await client.results.all(page, MOST_READ)
    if limit.cancelled_caught and not rows:
        raise PlatformError(
            f"Timed out after {READ_SECONDS:g} s waiting for the platform to return result rows.",
            next_step="Call again in a minute.",
        )
    return rows[:MOST_READ], limit.cancelled_caught or len(rows) >= MOST_READ


def best_of(
    rows: Sequence[Json],
    best_per: str | None,
    order: Order | None,
    columns: Sequence[str],
    meanings: Meanings,
    run: str,
) -> Best:
    """One row of each group: the best by the column's documented direction, else the first in the order.

    Rows without a value come after those with one, and are the best only of a group where no row has one.

    Args:
        rows: at least one.
        best_per: the column whose values are the groups; without it all rows are returned.
        order: without it, by the first column of `columns`, else of all, whose direction is documented.
        run: the execution's id.

    Raises:
        ArgumentError: no row has the column of `best_per` or `order`, or none has a documented direction.
    """
    for argument, column in (("best_per", best_per), ("order", order.field if order else None)):
        is_grouped = argument == "best_per" and any(_group(facts_of(row), column or "") is not None for row in rows)
        if column is not None and not is_grouped and not has_column(rows, column):
            raise no_such_column(argument, str(order) if argument == "order" else column, column, rows)
    order = order or _documented_order(rows, best_per, columns, meanings, run)
    lower_is_best = (meanings.better(order.field) or ("lower" if order.direction == "asc" else "higher")) == "lower"
    groups: dict[str, Json] = {}
    ungrouped = 0
    for row in ranked(rows, order.field, is_descending=not lower_is_best):
        group = _group(facts_of(row), best_per) if best_per else len(groups)
        if group is None:
            ungrouped += 1
        else:
            groups.setdefault(json.dumps(group, sort_keys=True), row)
    note = None
    if ungrouped:
        rows_left = "1 row" if ungrouped == 1 else f"{ungrouped} rows"
        note = f"Left out, as they have no {one_line(best_per or '', COLUMN_CHARACTERS)}: {rows_left}."
    return Best(
        ranked([*groups.values()], order.field, is_descending=order.direction == "desc"),
        order,
        f"{'lowest' if lower_is_best else 'highest'} {one_line(order.field, COLUMN_CHARACTERS)}",
        note,
    )


def _group(facts: Json, best_per: str) -> Any:
    """The value of a column; a ligand that was given without an id is told apart by its SMILES."""
    value = value_of(facts, best_per)
    return facts.get(SMILES) if value is None and best_per == LIGAND else value


def ranked(rows: Sequence[Json], column: str, *, is_descending: bool) -> list[Json]:
    """Rows by the numbers of a column, or by its texts if it has no numbers; those without one are last."""
    # Rows of one value keep their order from one page to the next.
    values = [(value_of(facts_of(row), column), row) for row in sorted(rows, key=lambda row: str(row.get("id")))]
    has_numbers = any(is_number(value) for value, _ in values)

    def has_value(value: object) -> bool:
        return is_number(value) if has_numbers else isinstance(value, str)

    having = sorted((pair for pair in values if has_value(pair[0])), key=itemgetter(0), reverse=is_descending)
    return [row for _, row in [*having, *(pair for pair in values if not has_value(pair[0]))]]


def _documented_order(
    rows: Sequence[Json], best_per: str | None, columns: Sequence[str], meanings: Meanings, run: str
) -> Order:
    numeric = numeric_in(map(facts_of, rows))
    known = [name for name in KNOWN if name in numeric]
    for name in [*(name for name in columns if name in numeric), *known, *numeric]:
        if better := meanings.better(name):
            return Order(name, "asc" if better == "lower" else "desc")
    if not numeric:
        raise ArgumentError(
            "best_per needs an order: no column of the rows holds numbers.",
            next_step=f"{steps.call('get_execution_results', execution_id=run)} shows all rows.",
        )
    named = ", ".join(one_line(name, COLUMN_CHARACTERS) for name in numeric[:MOST_COLUMNS_NAMED])
    example = steps.call(
        "get_execution_results", execution_id=run, best_per=best_per, order=f"{one_line(numeric[0], 60)} desc"
    )
    raise ArgumentError(
        f"best_per needs an order: the tool does not document which values of these columns are better: {named}.",
        next_step=f"Valid: one of them, then desc where higher is better, else asc, such as {example}.",
    )
