"""Names of projects and people, so that rows need not show ids only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio

from deeporigin_mcp.errors import DeepOriginError
from deeporigin_mcp.platform import DeepOriginClient
from deeporigin_mcp.platform.records.sanitizing import one_line, word
from deeporigin_mcp.platform.records.values import text
from deeporigin_mcp.tools.runtime.projects import project_names

KEPT_SECONDS = 60.0
"""How long names are kept; a new project has its id for a name until then."""


class Names:
    """Each list is requested once in `KEPT_SECONDS`. A list that cannot be read is empty: an id does as well."""

    def __init__(self, client: DeepOriginClient) -> None:
        self._client = client
        self._reading = {"projects": anyio.Lock(), "people": anyio.Lock()}
        self._kept: dict[str, tuple[float, dict[str, str]]] = {}

    async def projects(self) -> dict[str, str]:
        """Name by id."""
        return await self._read("projects", lambda: project_names(self._client))

    async def people(self) -> dict[str, str]:
        """Name by id, of the users of the organisation."""
        return await self._read("people", self._people)

    async def _people(self) -> dict[str, str]:
        found = {}
        for row in await self._client.organizations.users():
            if user_id := word(row.get("id")):
                name = f"{text(row.get('firstName'))} {text(row.get('lastName'))}".strip() or text(row.get("email"))
                found[user_id] = one_line(name, 60)
        return found

    async def _read(self, what: str, request: Callable[[], Awaitable[dict[str, str]]]) -> dict[str, str]:
        async with self._reading[what]:
            now = self._client.timing.monotonic()
            until, names = self._kept.get(what, (now, {}))
            if now >= until:
                try:
                    names = await request()
                except DeepOriginError:
                    names = {}
                self._kept[what] = now + KEPT_SECONDS, names
            return names
