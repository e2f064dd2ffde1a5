"""The columns of result rows: which of them a row shows, and what their numbers mean."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from deeporigin_mcp.errors import ArgumentError
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.platform.records.values import Json, text
from deeporigin_mcp.tools.executions.results_view import ResultColumn
from deeporigin_mcp.tools.files.columns import is_documented
from deeporigin_mcp.tools.files.meanings import Meanings, is_number, value_of
from deeporigin_mcp.tools.responses.size_limit import TEXT_CHARACTERS, Summary
from deeporigin_mcp.tools.responses.suggestions import closest

NAME = "name"
"""The column that this server adds: the name of a row's molecule."""
ROW_CHARACTERS = 4_000
MOST_COLUMNS_NAMED = 40
COLUMN_CHARACTERS = 60
"""How much of a column's name is shown."""
MOST_COLUMNS_EXPLAINED = 60
_FACTS = ("unit", "better", "range", "meaning")

_ROW_ID = re.compile(r"[^:@\s]{1,100}")
_TELLS_THE_MOLECULE = (NAME, "ligand_name", "ligand_id", "smiles", "ligand_smiles", "id")


# Rows


def facts_of(row: Json) -> Json:
    """The id and the data of a row as one object, without nulls."""
    data = row.get("data")
    named = {"id": text(row.get("id")) or None, **(data if isinstance(data, dict) else {"data": data})}
    return {key: value for key, value in named.items() if value is not None}


def shown_row(row: Json, name: str, columns: Sequence[str]) -> Json:
    """One result row, cut to its share: the columns asked for, or all, with the name of its molecule.

    Where the name is not known, something else says which molecule it is.
    """
    facts, row_id = facts_of(row), text(row.get("id"))
    # Without an id there is no cursor for what does not fit.
    summary = Summary(f"row:{row_id}:" if _ROW_ID.fullmatch(row_id) else None)
    named = {NAME: name} if name and NAME not in facts else {}
    if not columns:
        whole: Json = summary.of(facts, ROW_CHARACTERS)
        return {**({} if facts.get("ligand_name") == name else named), **whole}
    made = dict(named)
    if not named:
        columns = [next((column for column in _TELLS_THE_MOLECULE if column in facts), "id"), *columns]
    keys, share = [*facts], max(ROW_CHARACTERS // len(columns), TEXT_CHARACTERS)
    for column in columns:
        if (value := value_of(facts, column)) is None:
            continue
        holder, _, field = (column, "", "") if column in facts else column.partition(".")
        place = (keys.index(holder), *([[*facts[holder]].index(field)] if field else ()))
        made.setdefault(column, summary.of(value, share, place))
    return made


def has_column(rows: Iterable[Json], column: str) -> bool:
    """Whether any of these rows has it."""
    return any(value_of(facts_of(row), column) is not None for row in rows)


def no_such_column(argument: str, value: str, column: str, rows: Iterable[Json]) -> ArgumentError:
    """The error for a column that no row has."""
    columns = list(dict.fromkeys(name for row in rows for name in ("id", *_names_in(facts_of(row)))))
    if argument == "columns":
        columns = [NAME, *(name for name in columns if name != NAME)]
    meant = closest(column, columns)
    hint = f"Did you mean {one_line(meant, COLUMN_CHARACTERS)}? " if meant else ""
    named = ", ".join(one_line(name, COLUMN_CHARACTERS) for name in columns[:MOST_COLUMNS_NAMED])
    valid = "one of these, then asc or desc: " if argument == "order" else ""
    return ArgumentError(
        f"Invalid {argument} {one_line(value, 60)!r}: the rows have no such column.",
        next_step=f"{hint}Valid: {valid}{named}.",
    )


def _names_in(facts: Json) -> Iterator[str]:
    """The columns of a row; the fields of an object are columns too."""
    for name, value in facts.items():
        yield name
        if isinstance(value, dict):
            yield from (f"{name}.{field}" for field in value)


def numeric_in(rows: Iterable[Json], columns: Sequence[str] = ()) -> list[str]:
    """The columns of rows, or those asked for, that hold a number."""
    found = {
        name: None
        for row in rows
        for name in _names_in(row)
        if is_number(value_of(row, name)) and (not columns or {name, name.partition(".")[0]} & {*columns})
    }
    return [name for name in columns if name in found] + [name for name in found if name not in columns]


# What they mean


def legend(meanings: Meanings, rows: Sequence[Json], numeric: Sequence[str]) -> tuple[list[ResultColumn], list[str]]:
    """A line for each of these numeric columns of the rows, and the names of those that nobody documents."""
    lines: list[ResultColumn] = []
    unknown: list[str] = []
    for name in numeric[:MOST_COLUMNS_EXPLAINED]:
        shown = one_line(name, COLUMN_CHARACTERS)
        column = meanings.column(name)._replace(unit=meanings.unit(name, rows))
        if not is_documented(name, column):
            unknown.append(shown)
            continue
        facts = {field: value for field, value in column._asdict().items() if field in _FACTS and value}
        lines.append(ResultColumn(column=shown, **facts or {"meaning": column.label}))
    return lines, unknown
