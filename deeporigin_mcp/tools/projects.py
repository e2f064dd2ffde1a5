"""Projects that are asked for by a wrong id, or by their name."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import NamedTuple

from deeporigin_mcp.errors import ArgumentError, CredentialError, DeepOriginError
from deeporigin_mcp.platform import DeepOriginClient
from deeporigin_mcp.platform.failures import one_line
from deeporigin_mcp.platform.wire import rows_of, text
from deeporigin_mcp.platform.wording import word
from deeporigin_mcp.tools.nearness import nearest

MAX_PROJECTS_NAMED = 20


class UnknownProject(NamedTuple):
    """What is wrong and which projects there are.

    `meant` is the project_id that it was probably meant for; `is_certain` where the project's own name was given.
    """

    told: str
    meant: str | None = None
    is_certain: bool = False


async def project_names(client: DeepOriginClient) -> dict[str, str]:
    """The organisation's projects, up to 100: id → name, made harmless.

    Raises:
        DeepOriginError: they cannot be read.
    """
    rows = rows_of(await client.projects.list())
    return {word(row.get("id")): one_line(text(row.get("name")), 60) for row in rows if row.get("id")}


async def unknown_project(client: DeepOriginClient, asked: str) -> UnknownProject | None:
    """Why no project has this id; None if one has, or if it cannot be found out: the platform checks again."""
    with contextlib.suppress(DeepOriginError):
        names = await project_names(client)
        if asked in names or any(
            row.get("id") == asked for row in rows_of(await client.projects.get(project_id=asked))
        ):
            return None
        return _explained(asked, names)
    return None


async def set_project_error(client: DeepOriginClient, refusal: ArgumentError) -> DeepOriginError:
    """The refusal of a creation in the project that the operator set, or that this project does not exist.

    A caller has no argument to correct then.
    """
    own = client.settings.project_id
    unknown = await unknown_project(client, own) if own else None
    if unknown is None:
        return refusal
    return CredentialError(
        f"This server is set to a project that cannot be used. {unknown.told}",
        next_step=client.settings.places.own_project,
        http_status=refusal.http_status,
        request_id=refusal.request_id,
    )


def listed(names: Mapping[str, str]) -> str:
    """Projects as `id (name), …`."""
    told = ", ".join(
        f"{one_line(project_id, 60)} ({name})" for project_id, name in list(names.items())[:MAX_PROJECTS_NAMED]
    )
    return told + (f" and {len(names) - MAX_PROJECTS_NAMED} more" if len(names) > MAX_PROJECTS_NAMED else "")


def _explained(asked: str, names: Mapping[str, str]) -> UnknownProject:
    shown = one_line(asked, 60)
    named = [project_id for project_id, name in names.items() if name and name.casefold() == shown.casefold()]
    if len(named) == 1:
        return UnknownProject(
            f"{shown!r} is a project's name; its project_id is {named[0]}.", named[0], is_certain=True
        )
    if not names:
        return UnknownProject(f"There is no project {shown!r}: the organisation has none yet.")
    near = nearest(asked, names, cutoff=0.8) or [
        project_id
        for near in nearest(asked, names.values(), cutoff=0.7)
        for project_id, name in names.items()
        if name == near
    ]
    if near:
        few = {project_id: names[project_id] for project_id in dict.fromkeys(near)}
        meant = next(iter(few)) if len(few) == 1 else None
        return UnknownProject(f"There is no project {shown!r}. Did you mean {listed(few)}?", meant)
    return UnknownProject(f"There is no project {shown!r}. Projects: {listed(names)}.")
