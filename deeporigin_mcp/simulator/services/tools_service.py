"""`/tools`: executions, definitions and clusters (platform-facts 1.1-1.7, 1.11, 1.12)."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deeporigin_mcp.simulator.services.filters import list_test
from deeporigin_mcp.simulator.services.requests import (
    answer,
    body_of,
    caller_of,
    encoded_answer,
    organisation_of,
    permitted,
    platform_of,
    whole_number,
)
from deeporigin_mcp.simulator.state.execution import Execution
from deeporigin_mcp.simulator.state.lifecycle import cancel, confirm, create
from deeporigin_mcp.simulator.state.organisations import Organisation
from deeporigin_mcp.simulator.state.platform import Platform
from deeporigin_mcp.simulator.state.refusals import invalid, not_found

DEFAULT_PAGE_SIZE = 100
LARGEST_PAGE_SIZE = 10_000
ORDER_FIELDS = frozenset(
    {"createdAt", "updatedAt", "completedAt", "startedAt", "status", "tool", "name", "executionId"}
)
SECOND_ERA = "v=2.0"
"""In the Accept header: answer with the v2 progress tree (platform-facts 1.2)."""


async def list_executions(request: Request) -> Response:
    """`{data, count}`: one page, and the number of all rows that match."""
    platform, organisation = platform_of(request), organisation_of(request)
    query = request.query_params
    page = whole_number(query, "page", 0)
    size = whole_number(query, "pageSize", DEFAULT_PAGE_SIZE)
    if not 0 <= size <= LARGEST_PAGE_SIZE:
        raise invalid("Validation failed", [("pageSize", f"must be between 0 and {LARGEST_PAGE_SIZE}")])
    text = query.get("filter")
    test = list_test(text)
    with platform.lock:
        executions = _ordered(platform, organisation, query.get("order"))
        if text:
            executions = [execution for execution in executions if test(execution.list_row())]
        # A negative page is an empty one with the true count (quirk 3).
        rows = executions[page * size : (page + 1) * size] if page >= 0 else []
        data = b",".join(row.list_row_json() for row in rows)
    return encoded_answer(b'{"data":[%b],"count":%d}' % (data, len(executions)))


def _ordered(platform: Platform, organisation: Organisation, order: str | None) -> list[Execution]:
    if order is None:
        # No promise but stability (quirk 4).
        rows = platform.executions_of(organisation.key)
        return sorted(rows, key=lambda row: str(row.stored.get("resourceId")))
    field, _, direction = order.strip().partition(" ")
    field, direction = field.rstrip("?"), direction.strip().lower() or "asc"
    if field not in ORDER_FIELDS or direction not in {"asc", "desc"}:
        raise invalid("Validation failed", [("order", f"unknown order {order!r}")])
    descending = direction == "desc"
    if field == "createdAt":
        return platform.executions_of(organisation.key, newest_first=descending)

    def key(execution: Execution) -> tuple[bool, str]:
        value = execution.list_row().get(field)
        if field == "tool" and isinstance(value, dict):
            value = value.get("key")
        # As in the platform's database, nulls are larger than everything.
        return value is None, str(value)

    return sorted(platform.executions_of(organisation.key), key=key, reverse=descending)


async def get_execution(request: Request) -> Response:
    """One DTO, v1 or v2 by the Accept header."""
    organisation = organisation_of(request)
    execution = platform_of(request).execution(organisation.key, request.path_params["id"])
    second = SECOND_ERA in request.headers.get("accept", "").replace(" ", "")
    return answer(execution.dto(2 if second else 1))


async def create_execution(request: Request) -> Response:
    """The new execution's DTO with the whole cluster; a synchronous one only after it has ended."""
    platform, caller = platform_of(request), caller_of(request)
    organisation = permitted(request, caller)
    body = await body_of(request)
    key, version = request.path_params["key"], request.path_params.get("version", "latest")
    execution, blocks = create(platform, organisation, key, version, body, caller.subject)
    if blocks:
        await platform.until_terminal(execution)
    return answer(_with_cluster(organisation, execution))


async def act_on_execution(request: Request) -> Response:
    """`PATCH …/{id}:confirm` and `…/{id}:cancel`."""
    platform, organisation = platform_of(request), organisation_of(request)
    execution_id, _, action = request.path_params["id"].rpartition(":")
    if action not in {"confirm", "cancel"}:
        raise not_found(f"Cannot PATCH {request.url.path}")
    execution = platform.execution(organisation.key, execution_id)
    if action == "cancel":
        cancel(platform, organisation, execution)
        return answer(_with_cluster(organisation, execution))
    if confirm(platform, organisation, execution):
        await platform.until_terminal(execution)
    return answer(execution.dto())


def _with_cluster(organisation: Organisation, execution: Execution) -> dict[str, Any]:
    dto = execution.dto()
    named = (dto.get("cluster") or {}).get("id")
    dto["cluster"] = next((row for row in organisation.clusters if row["id"] == named), dto.get("cluster"))
    return dto


async def list_definitions(request: Request) -> Response:
    """All definitions, or all versions of one tool: `{data: […]}`."""
    orgs = caller_of(request).orgs
    return answer({"data": platform_of(request).catalogue.rows(request.path_params.get("key"), orgs)})


async def get_definition(request: Request) -> Response:
    """One definition, bare."""
    orgs = caller_of(request).orgs
    key, version = request.path_params["key"], request.path_params["version"]
    definition = platform_of(request).catalogue.resolve(key, version)
    if definition is None or not definition.is_seen_by(orgs):
        raise not_found(f"Tool {key}:{version} not found")
    return answer(definition.row())


async def list_clusters(request: Request) -> Response:
    """`{data, pagination: {count}}`; `order` and `filter` are accepted and ignored."""
    organisation, query = organisation_of(request), request.query_params
    page, size = whole_number(query, "page", 0), whole_number(query, "pageSize", DEFAULT_PAGE_SIZE)
    rows = organisation.clusters
    return answer({"data": rows[page * size : (page + 1) * size], "pagination": {"count": len(rows)}})


ROUTES = [
    Route("/tools/protected/tools/definitions", list_definitions, methods=["GET"]),
    Route("/tools/protected/tools/{key}/definitions", list_definitions, methods=["GET"]),
    Route("/tools/protected/tools/{key}/{version}/definitions", get_definition, methods=["GET"]),
    Route("/tools/{org}/tools/executions", list_executions, methods=["GET"]),
    # Express, below the platform, does not tell the two apart: an empty id lists (quirk 22).
    Route("/tools/{org}/tools/executions/", list_executions, methods=["GET"]),
    Route("/tools/{org}/tools/executions/{id}", get_execution, methods=["GET"]),
    Route("/tools/{org}/tools/executions/{id}", act_on_execution, methods=["PATCH"]),
    Route("/tools/{org}/tools/{key}/executions", create_execution, methods=["POST"]),
    Route("/tools/{org}/tools/{key}/{version}/executions", create_execution, methods=["POST"]),
    Route("/tools/{org}/clusters", list_clusters, methods=["GET"]),
]
