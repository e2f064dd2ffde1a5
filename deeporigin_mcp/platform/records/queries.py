"""Queries for executions as parameters of a request (platform-facts 1.1, 1.8)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from deeporigin_mcp.errors import ArgumentError
from deeporigin_mcp.platform.records.status import wire_words
from deeporigin_mcp.platform.records.values import utc_text

MAX_PAGE_SIZE = 10_000
"""The largest `pageSize` the tools service takes (platform-facts 1.1)."""


class ListQuery(NamedTuple):
    """Filters and order of the tools service's list; None omits a parameter."""

    tool_key: str | None = None
    session: str | None = None
    project_id: str | None = None
    created_after: datetime | str | None = None
    created_before: datetime | str | None = None
    status: Sequence[str] = ()
    order: str | None = None

    def params(self, page: int | None, page_size: int | None) -> dict[str, str | int]:
        """The query string's parameters, in the official client's order."""
        if page is not None and page < 0:
            raise ArgumentError(f"Invalid page {page}. Valid: 0 or more; the first page is 0.")
        if page_size is not None and not 0 <= page_size <= MAX_PAGE_SIZE:
            raise ArgumentError(f"Invalid page_size {page_size}. Valid: 1 to {MAX_PAGE_SIZE}.")
        optional = {"page": page, "pageSize": page_size, "order": self.order}
        params = {key: value for key, value in optional.items() if value is not None}
        if filters := self._filter():
            # The separators with spaces are what the official client sends.
            params["filter"] = json.dumps(filters)
        return params

    def _filter(self) -> dict[str, Any]:
        words = [word for status in self.status for word in wire_words(status)]
        times = {"$gt": self.created_after, "$lt": self.created_before}
        filters = {
            "tool": None if self.tool_key is None else {"toolManifest": {"key": self.tool_key}},
            "session": self.session,
            "projectId": self.project_id,
            "createdAt": {name: utc_text(when) for name, when in times.items() if when is not None} or None,
            "status": {"$in": list(dict.fromkeys(words))} if words else None,
        }
        return {key: value for key, value in filters.items() if value is not None}


class SearchQuery(NamedTuple):
    """A search on the data platform; None omits a key. Each of `props` is `{column, op, value}`."""

    project_id: str | None = None
    tool_key: Sequence[str] | str | None = None
    status: str | None = None
    compute_job_id: str | None = None
    props: Sequence[Mapping[str, Any]] = ()
    limit: int | None = None
    offset: int | None = None
    select: Sequence[str] | None = None
    with_total_count: bool = False
    include_hidden: bool = False

    def body(self) -> dict[str, Any]:
        """The request body, keys and props in the official client's order."""
        props: list[Mapping[str, Any]] = []
        if self.project_id is not None:
            props.append(_prop("project_id", "eq", self.project_id))
        if isinstance(self.tool_key, str):
            # An empty key means "any tool", as in the official client.
            props += [_prop("tool_key", "eq", self.tool_key)] if self.tool_key else []
        elif self.tool_key is not None:
            props.append(_prop("tool_key", "in", list(self.tool_key)))
        if self.status is not None:
            props.append(_prop("status", "eq", self.status))
        if self.compute_job_id is not None:
            props.append(_prop("compute_job_id", "eq", self.compute_job_id))
        optional = {
            "limit": self.limit,
            "offset": self.offset,
            "select": None if self.select is None else list(self.select),
            "with_total_count": self.with_total_count or None,
            "include_hidden": self.include_hidden or None,
        }
        body = {"filter": {"props": [*props, *self.props]}}
        return body | {key: value for key, value in optional.items() if value is not None}


def _prop(column: str, operator: str, value: Any) -> dict[str, Any]:
    return {"column": column, "op": operator, "value": value}
