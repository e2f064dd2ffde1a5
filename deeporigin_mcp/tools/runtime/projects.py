"""The organisation's projects, and what to do about an unknown project_id."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

from deeporigin_mcp.errors import ArgumentError, CredentialError, DeepOriginError
from deeporigin_mcp.platform import DeepOriginClient
from deeporigin_mcp.platform.records.sanitizing import one_line, word
from deeporigin_mcp.platform.records.values import text
from deeporigin_mcp.platform.transport.responses import rows_of
from deeporigin_mcp.tools.responses.suggestions import closest

MAX_PROJECTS_NAMED = 20
LEAST_ALIKE = 0.75
"""Ids of one organisation begin alike."""


async def project_names(client: DeepOriginClient) -> dict[str, str]:
    """The organisation's projects, up to 100: id → name, each on one line.

    Raises:
        DeepOriginError: they cannot be read.
    """
    rows = rows_of(await client.projects.list())
    return {word(row.get("id")): one_line(text(row.get("name")), 60) for row in rows if row.get("id")}


async def unknown_project(client: DeepOriginClient, asked: str) -> str | None:
    """That no project has this id, with the closest one or all; None if one has it, or if that is unknown."""
    with contextlib.suppress(DeepOriginError):
        names = await project_names(client)
        if asked in names or any(
            row.get("id") == asked for row in rows_of(await client.projects.get(project_id=asked))
        ):
            return None
        unknown = f"Unknown project_id {one_line(asked, 60)!r}"
        if not names:
            return f"{unknown}: the organisation has no projects yet."
        known = {name: project_id for project_id, name in names.items()} | {one: one for one in names}
        if meant := closest(asked, known, cutoff=LEAST_ALIKE):
            names = {known[meant]: names[known[meant]]}
            return f"{unknown}. Did you mean {listed(names)}?"
        return f"{unknown}. Valid: {listed(names)}."
    return None


async def chosen_project(client: DeepOriginClient, asked: str | None, what: str) -> str:
    """The project to work in: the one asked for, the server's, or the only one there is.

    Args:
        what: what is to belong to it, such as `an execution`.

    Raises:
        ArgumentError: `unknown_project`, `no_project`.
    """
    chosen, own = (asked or "").strip(), client.settings.project_id
    if chosen and own and chosen != own:
        problem = await unknown_project(client, chosen)
        raise ArgumentError(
            problem or f"Invalid project_id {one_line(chosen, 60)!r}.",
            next_step=f"This server works in project {own!r}: omit project_id; {client.settings.places.other_project}.",
            code="unknown_project",
        )
    if own:
        return own
    if chosen:
        if problem := await unknown_project(client, chosen):
            raise ArgumentError(
                problem, next_step="Ask the user which project_id to use, unless it is clear.", code="unknown_project"
            )
        return chosen
    names = await project_names(client)
    if len(names) == 1:
        return next(iter(names))
    raise ArgumentError(
        f"Missing project_id: {what} belongs to a project.",
        next_step=f"Ask the user which project_id to use: {listed(names)}."
        if names
        else "The organisation has no project yet.",
        code="no_project",
    )


async def set_project_error(client: DeepOriginClient, refusal: ArgumentError) -> DeepOriginError:
    """The refusal of a creation, or an error for the operator if the project that the operator set is unknown.

    Then the caller has no argument to correct.
    """
    own = client.settings.project_id
    unknown = await unknown_project(client, own) if own else None
    if unknown is None:
        return refusal
    return CredentialError(
        f"The project in this server's settings cannot be used. {unknown}",
        next_step=client.settings.places.own_project,
        http_status=refusal.http_status,
        request_id=refusal.request_id,
    )


def listed(names: Mapping[str, str]) -> str:
    """Projects as `id (name), …`."""
    shown = ", ".join(
        f"{one_line(project_id, 60)} ({name})" for project_id, name in list(names.items())[:MAX_PROJECTS_NAMED]
    )
    return shown + (f" and {len(names) - MAX_PROJECTS_NAMED} more" if len(names) > MAX_PROJECTS_NAMED else "")
