"""Where the agent works: organisation, projects, limits, and whether the platform's services respond."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import TypeVar

import anyio

from deeporigin_mcp.errors import CredentialError, DeepOriginError, NetworkError, SettingsError
from deeporigin_mcp.platform.records.sanitizing import one_line, word
from deeporigin_mcp.platform.records.values import Json, text, utc_stamp
from deeporigin_mcp.platform.transport.responses import rows_of
from deeporigin_mcp.settings import Settings, TokenClaims
from deeporigin_mcp.tools.catalogue.definitions import unmatched_allowed_keys
from deeporigin_mcp.tools.responses.environment import environment_of
from deeporigin_mcp.tools.responses.errors import explained
from deeporigin_mcp.tools.responses.toolsets import NOT_OFFERED, is_offered
from deeporigin_mcp.tools.responses.views import Number, View
from deeporigin_mcp.tools.runtime.projects import unknown_project
from deeporigin_mcp.tools.runtime.state import ToolContext, state_of
from deeporigin_mcp.tools.spending.spent import left_of, spent_by_session, started_in_a_day

T = TypeVar("T")

MAX_ROWS = 30


class ProjectRow(View):
    project_id: str
    name: str | None = None


class ClusterRow(View):
    cluster_id: str
    name: str | None = None
    status: str | None = None


class SpendingView(View):
    """The limits, and what has been spent and is left, all in USD. An absent limit is not set.

    `counted` says over what period and for whom `spent` and `left` count; `asked_by`: the ways to a person.
    """

    auto_approve_up_to: Number
    max_price: Number | None = None
    budget: Number | None = None
    spent: Number | None = None
    left: Number | None = None
    counted: str | None = None
    max_per_day: Number | None = None
    spent_in_24_hours: Number | None = None
    asked_by: list[str] | None = None


class WorkspaceView(View):
    organization: str
    user: str | None = None
    environment: str
    session: str
    project_id: str | None = None
    projects: list[ProjectRow]
    files: list[str] | None = None
    clusters: list[ClusterRow]
    spending: SpendingView
    time: str
    token_expires_at: str | None = None
    read_only: bool
    services: dict[str, str]
    problems: list[str] | None = None
    next_step: str | None = None


async def get_workspace(ctx: ToolContext) -> WorkspaceView:
    """Show who is signed in and what may be done: organisation, projects, clusters, spending limits, services.

    Call it first if unsure about project, limits or connection. It also says where the user's files are, what was
    spent, this server's session, and when the token ends. Reads only.
    """
    state = state_of(ctx)
    client = state.client
    settings = client.settings
    claims = TokenClaims.read(settings.require_token(client.timing.wall()))
    # By what to do about it, so that one cause of several failures is one problem: its message, and what failed.
    failures: dict[str, tuple[str, list[str]]] = {}

    async def read(what: str, request: Callable[[], Awaitable[T]], otherwise: T) -> T:
        try:
            return await request()
        except DeepOriginError as error:
            is_operators = isinstance(error, CredentialError | SettingsError)
            is_operators = is_operators or (isinstance(error, NetworkError) and error.is_lasting)
            message = explained(error, 400, with_step=is_operators)
            failures.setdefault(error.next_step if is_operators else message, (message, []))[1].append(what)
        return otherwise

    projects: list[Json] = []
    clusters: list[Json] = []
    services: dict[str, str] = {}
    organisations: list[Json] = []
    spent: Decimal | None = None
    of_day: Decimal | None = None
    simulated = False

    async def read_projects() -> None:
        nonlocal projects
        projects = await read("projects", lambda: _rows(client.projects.list()), [])
        own = settings.project_id
        is_listed = own in ["", *(text(row.get("id")) for row in projects)]
        if projects and not is_listed and (unknown := await unknown_project(client, own)):
            message = f"{unknown} {settings.places.own_project}"
            failures[message] = (message, ["project"])

    async def read_clusters() -> None:
        nonlocal clusters
        clusters = await read("clusters", lambda: _rows(client.clusters.list()), [])

    async def read_organisations() -> None:
        nonlocal organisations
        organisations = await read("organisation", client.organizations.list, [])

    async def read_services() -> None:
        nonlocal services
        services = await client.health()

    async def read_environment() -> None:
        nonlocal simulated
        simulated = await client.is_simulated()

    async def read_spent() -> None:
        nonlocal spent
        spent = await read("spending", lambda: spent_by_session(state), None)

    async def read_day() -> None:
        nonlocal of_day
        if settings.max_per_day is not None:
            of_day = await read("spending", lambda: started_in_a_day(state), None)

    async def read_allowed() -> None:
        if unmatched := await read("allowed tools", lambda: unmatched_allowed_keys(state_of(ctx)), None):
            failures[unmatched] = (unmatched, ["allowed tools"])

    async with anyio.create_task_group() as tasks:
        readers = (
            read_environment,
            read_projects,
            read_clusters,
            read_organisations,
            read_services,
            read_spent,
            read_day,
            read_allowed,
        )
        for task in readers:
            tasks.start_soon(task)

    name = next((text(row.get("name")) for row in organisations if row.get("orgKey") == settings.org_key), "")
    project_rows = [
        ProjectRow(project_id=word(row.get("id")), name=one_line(text(row.get("name")), 80) or None)
        for row in projects
        if row.get("id")
    ]
    problems = [f"{', '.join(whats)}: {message}" for message, whats in failures.values()]
    if len(project_rows) > MAX_ROWS:
        problems.append(f"projects: only the first {MAX_ROWS} of {len(project_rows)} are listed")
    return WorkspaceView(
        organization=f"{settings.org_key} ({one_line(name, 80)})" if name else settings.org_key,
        user=one_line(claims.email or claims.name or claims.subject, 120) or None,
        environment=environment_of(settings, is_simulated=simulated),
        session=settings.session,
        project_id=settings.project_id or (project_rows[0].project_id if len(project_rows) == 1 else None),
        projects=project_rows[:MAX_ROWS],
        files=_folders(settings),
        clusters=[
            ClusterRow(
                cluster_id=word(row.get("id")),
                name=one_line(text(row.get("name")), 80) or None,
                status=one_line(text(row.get("status")), 40) or None,
            )
            for row in clusters[:MAX_ROWS]
            if row.get("id")
        ],
        spending=SpendingView(
            auto_approve_up_to=settings.auto_approve_up_to,
            max_price=settings.max_price,
            budget=settings.budget,
            spent=spent,
            left=left_of(settings.budget, spent),
            counted=None if spent is None else _counted(settings),
            max_per_day=settings.max_per_day,
            spent_in_24_hours=of_day,
            asked_by=[*settings.ways] or None,
        ),
        time=utc_stamp(client.now()),
        token_expires_at=utc_stamp(claims.expires_at),
        read_only=settings.read_only,
        services=services,
        problems=problems or None,
        next_step=None
        if problems
        else _next_step(settings, has_project=bool(settings.project_id) or len(project_rows) < 2),
    )


def _next_step(settings: Settings, *, has_project: bool) -> str:
    offered = [is_offered(tool, settings) for tool in ("find_platform_tools", "list_executions")]
    texts = ("find_platform_tools finds tools.", "list_executions shows runs.")
    found = " ".join(itertools.compress(texts, offered)) or NOT_OFFERED
    return found if has_project or settings.read_only else f"No project is set: name one as project_id. {found}"


def _folders(settings: Settings) -> list[str] | None:
    """The folders of this machine for the user's files; None where the server runs on another one."""
    from deeporigin_mcp.tools.files.folders import Folders

    if not settings.is_local:
        return None
    folders = Folders(settings.files)
    return [folders.shown(folder) for folder in folders.allowed]


def _counted(settings: Settings) -> str:
    """What `spent` and `left` count, and since when."""
    what = (
        f"all runs that this MCP server started in organisation {one_line(settings.org_key, 80)}, whoever quoted them"
    )
    session = one_line(settings.session, 80)
    if "session" in settings.model_fields_set:
        return f"{what}, in session {session}, restarts included"
    return f"{what}, since this process started (session {session})"


async def _rows(response: Awaitable[Json]) -> list[Json]:
    return rows_of(await response)
