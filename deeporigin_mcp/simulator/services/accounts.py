"""`/entities` and `/billing`: organisations, users, spending rules, usage, credits (platform-facts 1.13, 1.15)."""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deeporigin_mcp.simulator.model.clock import stamp
from deeporigin_mcp.simulator.model.identifiers import digest
from deeporigin_mcp.simulator.services.requests import answer, caller_of, organisation_of, platform_of, whole_number
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


async def approval_threshold(request: Request) -> Response:
    """`{threshold}`, a number or a numeric string."""
    return answer({"threshold": organisation_of(request).threshold})


async def settings(request: Request) -> Response:
    """`{autoApproveMaxAmount, threshold}`."""
    organisation = organisation_of(request)
    return answer({"autoApproveMaxAmount": organisation.auto_approve_up_to, "threshold": organisation.threshold})


async def credit_balance(request: Request) -> Response:
    """`{paidCredits, discountCredits, pendingCredits}`, USD."""
    balance = organisation_of(request).balance
    return answer({"paidCredits": balance, "discountCredits": 0, "pendingCredits": 0})


async def usage_by_tag(request: Request) -> Response:
    """What runs with a billing tag cost between two days, both included."""
    organisation, tag = organisation_of(request), request.path_params["tag"]
    first, last = _day(request, "startDate", date.min), _day(request, "endDate", date.max)
    items = [
        item
        for execution, charged_at in _charged(request, organisation.key)
        if execution.stored.get("billing") == tag and first <= charged_at.date() <= last
        for item in _entries(execution, charged_at, tag)
    ]
    return answer({"status": "OK", "org_id": organisation.identifier, "items": items})


async def recent_usage(request: Request) -> Response:
    """Charged runs, newest first, one page."""
    organisation, query = organisation_of(request), request.query_params
    page, size = whole_number(query, "page", 0), whole_number(query, "pageSize", 20)
    charged = sorted(_charged(request, organisation.key), key=lambda pair: pair[1], reverse=True)
    rows = [
        {
            "date": stamp(charged_at),
            "name": execution.stored.get("name"),
            "paidAmount": execution.charged,
            "freeActions": 0,
            "total": execution.charged,
        }
        for execution, charged_at in charged
    ]
    return answer(rows[page * size : (page + 1) * size])


def _charged(request: Request, org: str) -> Iterator[tuple[Execution, datetime]]:
    for execution in platform_of(request).executions_of(org):
        if execution.charged and execution.charged_at is not None:
            yield execution, execution.charged_at


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
    Route("/entities/{org}/approvalThreshold", approval_threshold, methods=["GET"]),
    Route("/entities/{org}/settings", settings, methods=["GET"]),
    Route("/billing/{org}/credits/balance", credit_balance, methods=["GET"]),
    Route("/billing/{org}/usage/recent", recent_usage, methods=["GET"]),
    Route("/billing/{org}/usage/{tag}", usage_by_tag, methods=["GET"]),
]
