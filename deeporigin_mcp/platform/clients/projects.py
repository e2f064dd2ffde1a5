"""Projects of the organisation, on the data platform (platform-facts 1.14)."""

from __future__ import annotations

from typing import Any

from deeporigin_mcp.platform.records.values import Json
from deeporigin_mcp.platform.transport.requests import Transport
from deeporigin_mcp.platform.transport.responses import in_envelope
from deeporigin_mcp.platform.transport.scope import Scope

DEFAULT_LIMIT = 100


class Projects:
    """`client.projects`."""

    def __init__(self, transport: Transport, scope: Scope) -> None:
        self._transport = transport
        self._scope = scope

    async def list(self) -> Json:
        """The projects that are not deleted, up to 100: `{"data": […], "meta": {…}}`."""
        return await self._search({"deleted": False}, DEFAULT_LIMIT)

    async def get(self, *, project_id: str) -> Json:
        """A search for one project; `data` is empty if there is none."""
        return await self._search({"id": project_id, "deleted": False}, 1)

    async def _search(self, conditions: dict[str, Any], limit: int) -> Json:
        response = await self._transport.send(
            "POST",
            f"/data-platform/{self._scope.org_segment}/projects/search",
            what="list projects",
            body={"filter": conditions, "limit": limit},
        )
        return in_envelope(response, "list projects")
