"""Where requests belong: organisation, project, and what is stamped on what is created."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from deeporigin_mcp.errors import ArgumentError


@dataclass(frozen=True)
class Scope:
    """One organisation and, where set, one project."""

    org_key: str
    project_id: str
    session: str
    app: str = "deeporigin-mcp"

    @property
    def org_segment(self) -> str:
        """The organisation in a path. Without one nothing is sent: the transport says first what is missing."""
        return segment(self.org_key, "organisation") if self.org_key else "-"

    def project_for(self, asked: Any) -> str:
        """The project of a new execution: the client's, which a request may repeat but not change.

        A client without a project takes the request's.

        Raises:
            ArgumentError: neither names one, or they differ.
        """
        wanted = "" if asked is None else str(asked).strip()
        if self.project_id and wanted and wanted != self.project_id:
            raise ArgumentError(
                f"projectId {wanted!r} is not the project of this client, {self.project_id!r}.",
                next_step="Leave it out, or use a client for that project (DO_PROJECT_ID).",
            )
        if not (wanted or self.project_id):
            raise ArgumentError(
                "An execution belongs to a project, and none is set.",
                next_step="Give a project_id, or set DO_PROJECT_ID.",
            )
        return wanted or self.project_id


def segment(value: str, name: str) -> str:
    """An id made safe as one segment of a path.

    Raises:
        ArgumentError: the id is empty or only white space: the path would name the whole collection.
    """
    if not value.strip():
        raise ArgumentError(f"{name} is empty.", next_step=f"Give the {name} as text, as an earlier call returned it.")
    if not value.strip().strip("."):
        # Servers and proxies resolve dot segments, so these would name another path.
        raise ArgumentError(f"{name} {value.strip()!r} is no id.", next_step=f"Give the {name} of an earlier answer.")
    try:
        return quote(value.strip(), safe="")
    except UnicodeEncodeError:
        raise ArgumentError(f"{name} holds characters that no id has.") from None
