"""Where requests belong: organisation, project, and what is stamped on what is created."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from deeporigin_mcp.errors import ArgumentError
from deeporigin_mcp.platform.transport import segment


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
