"""The data platform's search: one request body, one envelope, for every table (platform-facts 1.8, 1.16)."""

import base64
from collections.abc import Callable, Collection, Iterable
from typing import Any

from deeporigin_mcp.simulator.services.filters import table_test
from deeporigin_mcp.simulator.state.refusals import invalid

Row = dict[str, Any]

DEFAULT_LIMIT = 100
SEARCH_KEYS = frozenset({"filter", "limit", "offset", "cursor", "select", "sort", "with_total_count"})

_NAMES = (
    "id created_at updated_at modified_by deleted project_id execution_id tool_id tool_key tool_version measured_at "
    "ligand_canonical_id protein_canonical_id result_table_name compute_job_id execution_name tool_name"
)
CANONICAL_RESULT_COLUMNS = frozenset(_NAMES.split())
"""Result columns that can be sorted with a cursor; others live in `data` and need an offset."""


class Search:
    """A checked search body.

    Args:
        body: The JSON body.
        columns: Columns of the table.
        open_columns: Whether other names read a row's `data`, as in the result explorer.
        extra_keys: Further body keys that the table takes.

    Raises:
        Refusal: 400 with `errors` naming each offending field.
    """

    def __init__(
        self,
        body: Row,
        columns: Collection[str],
        *,
        open_columns: bool = False,
        extra_keys: Collection[str] = (),
    ) -> None:
        unknown = [key for key in body if key not in SEARCH_KEYS and key not in extra_keys]
        if unknown:
            raise invalid("Unknown keys in payload", [(key, "unknown_field") for key in unknown])
        self._columns = set(columns)
        self._open = open_columns
        self.limit = self._count(body, "limit", DEFAULT_LIMIT, least=1)
        self.offset = self._count(body, "offset", 0, least=0)
        self.with_total_count = body.get("with_total_count") is True
        self.test = table_test(body.get("filter"), self._read, self._is_known)
        self.select = self._selected(body.get("select"))
        self.sort = self._sorted(body.get("sort"))
        if body.get("cursor") is not None:
            if self._sorts_inside_data():
                reason = "cursor pagination needs a sort on canonical columns"
                raise invalid("Invalid payload", [("cursor", reason)])
            self.offset = _read_cursor(body["cursor"])

    def answer(self, rows: Iterable[Row]) -> Row:
        """The envelope over the rows that match: `{data, meta}`."""
        matching = [row for row in rows if self.test(row)]
        if self._sorts_inside_data() and matching:
            # Nobody promises the order of rows that a sort leaves equal, from one request to the next.
            turn = self.offset % len(matching)
            matching = matching[turn:] + matching[:turn]
        for column, descending in reversed(self.sort):
            matching.sort(key=self._sort_key(column), reverse=descending)
        page = matching[self.offset : self.offset + self.limit]
        has_more = self.offset + len(page) < len(matching)
        meta: Row = {
            "count": len(page),
            "limit": self.limit,
            "hasMore": has_more,
            # A string on the real platform too (quirk 15); no clock is asked for it.
            "executionTimeMs": f"{2 + len(matching) / 500:.2f}",
        }
        if has_more and not self._sorts_inside_data():
            meta["nextCursor"] = _write_cursor(self.offset + len(page))
        if self.with_total_count:
            meta["total_count"] = len(matching)
        return {"data": [self._shown(row) for row in page], "meta": meta}

    def _shown(self, row: Row) -> Row:
        return row if self.select is None else {name: row.get(name) for name in self.select}

    def _read(self, row: Row, column: str) -> Any:
        if column in row or not self._open:
            return row.get(column)
        return row["data"].get(column)

    def _sort_key(self, column: str) -> Callable[[Row], tuple[bool, str, Any]]:
        """A key over mixed values: by kind first, so that a number never meets a string; nulls are largest."""

        def key(row: Row) -> tuple[bool, str, Any]:
            value = self._read(row, column)
            if isinstance(value, bool | int | float):
                return False, "number", value
            return (True, "", "") if value is None else (False, "text", str(value))

        return key

    def _is_known(self, column: str) -> bool:
        return self._open or column in self._columns

    def _sorts_inside_data(self) -> bool:
        return self._open and any(column not in CANONICAL_RESULT_COLUMNS for column, _ in self.sort)

    def _selected(self, value: object) -> list[str] | None:
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
            raise invalid("Invalid payload", [("select", "invalid_type")])
        unknown = [name for name in value if name not in self._columns]
        if unknown:
            raise invalid("Unknown columns in select", [(name, "unknown_column") for name in unknown])
        return value

    def _sorted(self, value: object) -> list[tuple[str, bool]]:
        if value is None:
            return []
        if not isinstance(value, dict):
            raise invalid("Invalid payload", [("sort", "invalid_type")])
        for column, direction in value.items():
            if not self._is_known(column):
                raise invalid("Unknown columns in sort", [(column, "unknown_column")])
            if direction not in {"asc", "desc"}:
                raise invalid("Invalid payload", [(f"sort.{column}", "must be asc or desc")])
        return [(column, direction == "desc") for column, direction in value.items()]

    @staticmethod
    def _count(body: Row, name: str, default: int, *, least: int) -> int:
        value = body.get(name, default)
        if not isinstance(value, int) or isinstance(value, bool):
            raise invalid("Invalid payload", [(name, "must be integer")])
        if value < least:
            raise invalid("Invalid payload", [(name, f"must be >= {least}")])
        return value


def _write_cursor(offset: int) -> str:
    return base64.urlsafe_b64encode(f"after {offset}".encode()).decode()


def _read_cursor(text: object) -> int:
    try:
        return int(base64.urlsafe_b64decode(str(text)).decode().removeprefix("after "))
    except ValueError as error:
        raise invalid("Invalid payload", [("cursor", "invalid cursor")]) from error
