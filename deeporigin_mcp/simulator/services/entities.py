"""`/data-platform/{org}/ligands` and `…/proteins`, and which of them executions touched."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deeporigin_mcp.simulator.services.requests import (
    answer,
    body_of,
    caller_of,
    equal_to,
    organisation_of,
    permitted,
    platform_of,
)
from deeporigin_mcp.simulator.services.tables import Search
from deeporigin_mcp.simulator.state.entities import columns_of, create_row, existing_row, update_row
from deeporigin_mcp.simulator.state.ingestion import SUBJECT_COLUMNS, subject_rows
from deeporigin_mcp.simulator.state.refusals import Refusal, invalid, not_found

Row = dict[str, Any]


async def search_entities(request: Request) -> Response:
    """Ligands or proteins, deleted ones too unless the filter says otherwise."""
    table, organisation = _table(request), organisation_of(request)
    body = await body_of(request)
    return answer(Search(body, columns_of(table)).answer(organisation.rows(table, platform_of(request).clock.now())))


async def get_entity(request: Request) -> Response:
    """One row, bare."""
    table, organisation, identifier = _table(request), organisation_of(request), request.path_params["id"]
    row = existing_row(organisation, table, identifier)
    if not organisation.shows(identifier, platform_of(request).clock.now()):
        raise Refusal(404, {"message": f"{table} {identifier} not found"})
    return answer(row)


async def create_entity(request: Request) -> Response:
    """`{data: row, meta: {inserted: 1}}`, 201."""
    body = await body_of(request)
    return _created(request, body, [body.get("set")], lambda rows: rows[0])


async def create_entities(request: Request) -> Response:
    """`{data: [row], meta: {inserted}}`, 201; one bad row refuses all."""
    body = await body_of(request)
    rows = body.get("rows")
    if not isinstance(rows, list):
        raise invalid("Invalid payload", [("rows", "required")])
    return _created(request, body, rows, lambda made: made)


def _created(request: Request, body: Row, given: list[Any], shown: Any) -> Response:
    platform, table, caller = platform_of(request), _table(request), caller_of(request)
    organisation = permitted(request, caller)
    returning = _returning(table, body)
    made: list[Row] = []
    with platform.lock:
        try:
            for row in given:
                made.append(create_row(platform, organisation, table, row, caller.subject))  # noqa: PERF401
        except Refusal:
            for row in made:
                del organisation.entities[table][row["id"]]
            raise
    return answer({"data": shown([_picked(row, returning) for row in made]), "meta": {"inserted": len(made)}}, 201)


async def update_entity(request: Request) -> Response:
    """`{data: [row], meta: {affected: 1}}`: a list, unlike that of a create."""
    body = await body_of(request)
    return _updated(request, body, [{"id": request.path_params["id"], "set": body.get("set")}])


async def update_entities(request: Request) -> Response:
    """`{data: [row], meta: {affected}}`."""
    body = await body_of(request)
    updates = body.get("updates")
    if not isinstance(updates, list) or not all(isinstance(update, dict) for update in updates):
        raise invalid("Invalid payload", [("updates", "required")])
    return _updated(request, body, updates)


def _updated(request: Request, body: Row, updates: list[Row]) -> Response:
    platform, organisation, table = platform_of(request), organisation_of(request), _table(request)
    returning = _returning(table, body)
    with platform.lock:
        for update in updates:
            existing_row(organisation, table, str(update.get("id")))
        rows = [update_row(platform, organisation, table, str(row["id"]), row.get("set")) for row in updates]
    return answer({"data": [_picked(row, returning) for row in rows], "meta": {"affected": len(rows)}})


async def delete_entity(request: Request) -> Response:
    """`{deleted: 1}`; the row stays, marked."""
    existing_row(organisation_of(request), _table(request), request.path_params["id"])["deleted"] = True
    return answer({"deleted": 1})


async def search_subjects(request: Request) -> Response:
    """The entities of ingested runs, hidden ones too; `execution_id` is the data platform's."""
    platform, organisation = platform_of(request), organisation_of(request)
    body = await body_of(request)
    search = Search(body, SUBJECT_COLUMNS)
    wanted = equal_to(body, "execution_id")
    executions = [
        execution
        for execution in platform.executions_of(organisation.key)
        if wanted is None or execution.data_platform_id == wanted
    ]
    now = platform.clock.now()
    return answer(search.answer(row for execution in executions for row in subject_rows(execution, now)))


def _table(request: Request) -> str:
    table = str(request.path_params["table"])
    if table not in organisation_of(request).entities:
        raise not_found(f"Cannot {request.method} {request.url.path}")
    return table


def _returning(table: str, body: Row) -> list[str] | None:
    names = body.get("returning")
    unknown = [name for name in names or [] if name not in columns_of(table)]
    if unknown:
        raise invalid("Unknown columns in returning", [(name, "unknown_column") for name in unknown])
    return names


def _picked(row: Row, names: list[str] | None) -> Row:
    return row if names is None else {name: row[name] for name in names}


ROUTES = [
    Route("/data-platform/{org}/execution_subjects/search", search_subjects, methods=["POST"]),
    Route("/data-platform/{org}/{table}/search", search_entities, methods=["POST"]),
    Route("/data-platform/{org}/{table}/batch/create", create_entities, methods=["POST"]),
    Route("/data-platform/{org}/{table}/batch/update", update_entities, methods=["PATCH"]),
    Route("/data-platform/{org}/{table}", create_entity, methods=["POST"]),
    Route("/data-platform/{org}/{table}/{id}", get_entity, methods=["GET"]),
    Route("/data-platform/{org}/{table}/{id}", update_entity, methods=["PATCH"]),
    Route("/data-platform/{org}/{table}/{id}", delete_entity, methods=["DELETE"]),
]
