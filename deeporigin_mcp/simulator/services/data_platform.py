"""`/data-platform`: execution rows, logs, results and projects (platform-facts 1.8-1.10, 1.14, 1.16)."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deeporigin_mcp.simulator.model.clock import stamp
from deeporigin_mcp.simulator.model.identifiers import is_data_platform_id
from deeporigin_mcp.simulator.services.requests import answer, body_of, equal_to, organisation_of, platform_of
from deeporigin_mcp.simulator.services.tables import CANONICAL_RESULT_COLUMNS, Search
from deeporigin_mcp.simulator.state.entities import columns_of
from deeporigin_mcp.simulator.state.ingestion import (
    EXECUTION_COLUMNS,
    execution_row,
    result_rows,
)
from deeporigin_mcp.simulator.state.logs import LOG_COLUMNS, log_rows
from deeporigin_mcp.simulator.state.organisations import Organisation, project_row
from deeporigin_mcp.simulator.state.platform import Platform
from deeporigin_mcp.simulator.state.refusals import Refusal, invalid

Row = dict[str, Any]

MODELS = (
    "ligands",
    "proteins",
    "patents",
    "projects",
    "ui_settings",
    "executions",
    "execution_subjects",
    "results",
    "result_table_catalog",
)
RESULT_COLUMNS = CANONICAL_RESULT_COLUMNS | {"data", "result_type"}


async def search_executions(request: Request) -> Response:
    """Execution rows; hidden runs only when asked for, rows that have not arrived yet never."""
    platform, organisation = platform_of(request), organisation_of(request)
    body = await body_of(request)
    # Only the newest version of a row is kept, so `with_history` adds none.
    extra = {"with_history", "include_hidden"} if platform.knows_include_hidden else {"with_history"}
    search = Search(body, EXECUTION_COLUMNS, extra_keys=extra)
    now, lag = platform.clock.now(), platform.ingestion_lag_seconds
    rows = [
        execution_row(execution, now, lag)
        for execution in platform.executions_of(organisation.key, newest_first=True)
        if body.get("include_hidden") is True or execution.stored.get("visibility") != "hidden"
    ]
    return answer(search.answer(row for row in rows if row is not None))


async def get_execution_row(request: Request) -> Response:
    """One row, bare; the tools service's ids are not accepted here."""
    platform, organisation = platform_of(request), organisation_of(request)
    identifier = request.path_params["id"]
    if not is_data_platform_id(identifier):
        raise invalid("Invalid id format", [("id", "invalid_format")])
    execution = platform.by_data_platform_id.get(identifier)
    row = None
    if execution is not None and execution.org == organisation.key:
        row = execution_row(execution, platform.clock.now(), platform.ingestion_lag_seconds)
    if row is None:
        raise Refusal(404, {"message": f"executions {identifier} not found"})
    return answer(row)


async def search_logs(request: Request) -> Response:
    """Log rows of the organisation's runs, oldest first within a run."""
    platform, organisation = platform_of(request), organisation_of(request)
    body = await body_of(request)
    search = Search(body, LOG_COLUMNS)
    now = platform.clock.now()
    executions = platform.executions_of(organisation.key)
    wanted = equal_to(body, "execution_id")
    if wanted is not None:
        # Logs are computed, so the one filter that nearly every caller gives is applied first.
        executions = [execution for execution in executions if execution.id == wanted]
    return answer(search.answer(row for execution in executions for row in log_rows(execution, now)))


async def search_results(request: Request) -> Response:
    """Result rows of completed and ingested runs."""
    platform, organisation = platform_of(request), organisation_of(request)
    body = await body_of(request)
    search = Search(body, RESULT_COLUMNS, open_columns=True)
    return answer(search.answer(_results(platform, organisation, equal_to(body, "compute_job_id"))))


def _results(platform: Platform, organisation: Organisation, execution_id: object = None) -> list[Row]:
    now = platform.clock.now()
    return [
        row
        for execution in platform.executions_of(organisation.key)
        if execution_id is None or execution.id == execution_id
        for row in result_rows(execution, now)
    ]


async def search_ligands_with_results(request: Request) -> Response:
    """Ligands of the organisation, each with the results of the named tools."""
    platform, organisation = platform_of(request), organisation_of(request)
    body = await body_of(request)
    ligands = organisation.rows("ligands", platform.clock.now())
    search = Search(body, {*columns_of("ligands"), "results"}, extra_keys={"experiments"})
    tools = {str(experiment.get("toolId")) for experiment in body.get("experiments") or []}
    results = [row for row in _results(platform, organisation) if not tools or row["tool_key"] in tools]

    def joined(ligand: Row) -> Row:
        own = [row["data"] for row in results if row["ligand_canonical_id"] == ligand["id"]]
        return {**ligand, "results": own}

    return answer(search.answer(joined(ligand) for ligand in ligands))


async def search_projects(request: Request) -> Response:
    """Project rows."""
    rows = organisation_of(request).projects.values()
    body = await body_of(request)
    return answer(Search(body, project_row("", "", name="", slug="")).answer(rows))


async def get_project(request: Request) -> Response:
    """One project, bare."""
    return answer(_project(organisation_of(request), request.path_params["id"]))


async def create_project(request: Request) -> Response:
    """`{data: row, meta: {inserted: 1}}`, 201."""
    platform, organisation = platform_of(request), organisation_of(request)
    given = _set_of(await body_of(request))
    if not isinstance(given.get("name"), str) or not isinstance(given.get("slug"), str):
        raise invalid("Invalid payload", [(f"set.{key}", "required") for key in ("name", "slug") if key not in given])
    identifier = platform.ids.friendly("09")
    created = stamp(platform.clock.now())
    row = project_row(identifier, created, name=given["name"], slug=given["slug"])
    row |= {key: value for key, value in given.items() if key in row}
    organisation.projects[identifier] = row
    return answer({"data": row, "meta": {"inserted": 1}}, 201)


async def update_project(request: Request) -> Response:
    """`{data: [row], meta: {affected: 1}}`."""
    platform, organisation = platform_of(request), organisation_of(request)
    row = _project(organisation, request.path_params["id"])
    given = _set_of(await body_of(request))
    unknown = [key for key in given if key not in row]
    if unknown:
        raise invalid("Unknown columns in set", [(key, "unknown_column") for key in unknown])
    now = stamp(platform.clock.now())
    row |= {**given, "version": row["version"] + 1, "valid_from": now, "updated_at": now}
    return answer({"data": [row], "meta": {"affected": 1}})


async def delete_project(request: Request) -> Response:
    """`{deleted: 1}`; the row stays, marked."""
    _project(organisation_of(request), request.path_params["id"])["deleted"] = True
    return answer({"deleted": 1})


def _set_of(body: Row) -> Row:
    given = body.get("set")
    if not isinstance(given, dict):
        raise invalid("Invalid payload", [("set", "required")])
    return given


def _project(organisation: Organisation, identifier: str) -> Row:
    row = organisation.projects.get(identifier)
    if row is None or row["deleted"]:
        raise Refusal(404, {"message": f"projects {identifier} not found"})
    return row


async def models(request: Request) -> Response:
    """`{models: [{tableName, visibility}]}`."""
    organisation_of(request)
    return answer({"models": [{"tableName": name, "visibility": "public"} for name in MODELS]})


ROUTES = [
    Route("/data-platform/{org}/executions/search", search_executions, methods=["POST"]),
    Route("/data-platform/{org}/executions/{id}", get_execution_row, methods=["GET"]),
    Route("/data-platform/{org}/user_logs/search", search_logs, methods=["POST"]),
    Route("/data-platform/{org}/result-explorer/search", search_results, methods=["POST"]),
    Route("/data-platform/{org}/ligands_with_results/search", search_ligands_with_results, methods=["POST"]),
    Route("/data-platform/{org}/projects/search", search_projects, methods=["POST"]),
    Route("/data-platform/{org}/projects", create_project, methods=["POST"]),
    Route("/data-platform/{org}/projects/{id}", get_project, methods=["GET"]),
    Route("/data-platform/{org}/projects/{id}", update_project, methods=["PATCH"]),
    Route("/data-platform/{org}/projects/{id}", delete_project, methods=["DELETE"]),
    Route("/data-platform/{org}/meta/models", models, methods=["GET"]),
]
