"""Names of projects and people, so that rows need not show ids only."""

from __future__ import annotations

from collections import Counter
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
        self._reading = {"projects": anyio.Lock(), "people": anyio.Lock(), "keys": anyio.Lock()}
        self._kept: dict[str, tuple[float, dict[str, str]]] = {}

    async def projects(self) -> dict[str, str]:
        """Name by id."""
        return await self._read("projects", lambda: project_names(self._client))

    async def people(self) -> dict[str, str]:
        """Name by id, of the users of the organisation."""
        return await self._read("people", self._people)

    async def people_by_key(self) -> dict[str, str]:
        """The same by id and by e-mail address, both in lower case. A name that two have comes with the address."""
        return await self._read("keys", self._people_by_key)

    async def _people(self) -> dict[str, str]:
        return {user_id: name for user_id, _, name in await self._users()}

    async def _people_by_key(self) -> dict[str, str]:
        users = await self._users()
        times = Counter(name for _, _, name in users)
        found: dict[str, str] = {}
        for user_id, email, name in users:
            shown = f"{name} ({email})" if times[name] > 1 and email else name
            found |= {key.casefold(): shown for key in (user_id, email) if key}
        return found

    async def _users(self) -> list[tuple[str, str, str]]:
        """Id, address and name of each."""
        found = []
        for row in await self._client.organizations.users():
            if user_id := word(row.get("id")):
                email = one_line(text(row.get("email")), 80)
                name = f"{text(row.get('firstName'))} {text(row.get('lastName'))}".strip() or email
                found.append((user_id, email, one_line(name, 60)))
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
