"""Organisation, project and session of a client, and ids as segments of paths."""

from __future__ import annotations

from typing import Any, NamedTuple
from urllib.parse import quote

from deeporigin_mcp.errors import ArgumentError

GIVE = "Give the {} that an earlier call returned."


class Scope(NamedTuple):
    """One organisation and, where set, one project."""

    org_key: str
    project_id: str
    session: str
    app: str = "deeporigin-mcp"
    billing_tag: str = ""
    """Stamped on executions that name none, as the official client does."""

    @property
    def org_segment(self) -> str:
        """The organisation as a segment of a path; `-` without one, where the transport raises before sending."""
        return segment(self.org_key, "organisation") if self.org_key else "-"

    @property
    def executions_path(self) -> str:
        """The tools service's path of executions."""
        return f"/tools/{self.org_segment}/tools/executions"

    def project_for(self, requested: Any) -> str:
        """The project of a new execution: the client's, or the request's if the client has none.

        Raises:
            ArgumentError: neither names one, or they differ.
        """
        wanted = "" if requested is None else str(requested).strip()
        if self.project_id and wanted and wanted != self.project_id:
            raise ArgumentError(
                f"projectId {wanted!r} is not the client's project {self.project_id!r}.",
                next_step="Leave it out, or use a client for that project (DO_PROJECT_ID).",
            )
        if not (wanted or self.project_id):
            raise ArgumentError(
                "An execution needs a project, and none is set.",
                next_step="Give a project_id, or set DO_PROJECT_ID.",
                code="no_project",
            )
        return wanted or self.project_id


def segment(value: str, name: str) -> str:
    """An id, percent-encoded as one segment of a path.

    Raises:
        ArgumentError: the id is empty (the path would name the whole collection), only dots, or not encodable.
    """
    if not value.strip():
        raise ArgumentError(f"{name} is empty.", next_step=GIVE.format(name))
    if not value.strip().strip("."):
        # Servers and proxies resolve dot segments, so these would name another path.
        raise ArgumentError(f"Invalid {name} {value.strip()!r}.", next_step=GIVE.format(name))
    try:
        return quote(value.strip(), safe="")
    except UnicodeEncodeError:
        raise ArgumentError(f"{name} holds characters that an id cannot have.", next_step=GIVE.format(name)) from None
