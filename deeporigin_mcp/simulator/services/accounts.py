"""`/entities` and `/billing`: organisations, users, usage by billing tag (platform-facts 1.13, 1.15)."""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deeporigin_mcp.simulator.model.clock import stamp
from deeporigin_mcp.simulator.model.identifiers import digest
from deeporigin_mcp.simulator.services.requests import answer, caller_of, organisation_of, platform_of
from deeporigin_mcp.simulator.state.execution import Execution
from deeporigin_mcp.simulator.state.refusals import invalid


async def list_organisations(request: Request) -> Response:
    """The caller's organisations: `{data: […]}`."""
    caller = caller_of(request)
    rows = platform_of(request).organisations.values()
    return answer({"data": [row.row() for row in rows if caller.orgs is None or row.key in caller.orgs]})


async def list_users(request: Request) -> Response:
    """The users of an organisation: `{data: […]}`."""
    return answer({"data": organisation_of(request).users})


async def usage_by_tag(request: Request) -> Response:
    """What runs with a billing tag cost between two days, both included."""
    organisation, tag = organisation_of(request), request.path_params["tag"]
    first, last = _day(request, "startDate", date.min), _day(request, "endDate", date.max)
    items = [
        item
        for execution in platform_of(request).executions_of(organisation.key)
        if execution.stored.get("billing") == tag and execution.charged and execution.charged_at is not None
        if first <= execution.charged_at.date() <= last
        for item in _entries(execution, execution.charged_at, tag)
    ]
    return answer({"status": "OK", "org_id": organisation.identifier, "items": items})


def _entries(execution: Execution, charged_at: datetime, tag: str) -> Iterator[dict[str, Any]]:
    for item in execution.items:
        yield {
            "entry_dt": stamp(charged_at),
            "item_code": item.code,
            "description": item.name,
            "qty": item.quantity,
            "unit_cost": item.unit,
            "total_cost": item.total,
            "notes": None,
            "billing_tag_transaction": f"{tag}:{execution.id}",
            "billing_tag": tag,
            "id": f"{digest(execution.id, item.code):016x}",
        }


def _day(request: Request, name: str, default: date) -> date:
    text = request.query_params.get(name)
    if text is None:
        return default
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise invalid("Validation failed", [(name, "must be YYYY-MM-DD")]) from error


ROUTES = [
    Route("/entities/protected/organizations", list_organisations, methods=["GET"]),
    Route("/entities/{org}/organizations/users", list_users, methods=["GET"]),
    Route("/billing/{org}/usage/{tag}", usage_by_tag, methods=["GET"]),
]
