"""Names of projects and people, so that rows need not show ids only; and whether the platform is simulated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Generic, NamedTuple, TypeVar

import anyio

from deeporigin_mcp.errors import DeepOriginError
from deeporigin_mcp.platform import DeepOriginClient
from deeporigin_mcp.platform.records.sanitizing import one_line, word
from deeporigin_mcp.platform.records.values import text
from deeporigin_mcp.tools.runtime.projects import project_names

T = TypeVar("T")

KEPT_SECONDS = 60.0
"""How long names are kept; a new project has its id for a name until then."""


class User(NamedTuple):
    """Of the organisation."""

    user_id: str
    email: str
    name: str


class Names:
    """Each of them is requested once in `KEPT_SECONDS`. A list that cannot be read is empty: an id does as well."""

    def __init__(self, client: DeepOriginClient) -> None:
        self._client = client
        self._projects = _Kept[dict[str, str]](client, lambda: project_names(client), dict)
        self._users = _Kept[list[User]](client, self._read_users, list)
        self._simulated = _Kept[bool](client, client.is_simulated, bool)

    async def projects(self) -> dict[str, str]:
        """Name by id."""
        return await self._projects.read()

    async def is_simulated(self) -> bool:
        """Whether the platform is the simulator of this package; no if that cannot be read."""
        return await self._simulated.read()

    async def people(self) -> dict[str, str]:
        """Name by id, of the users of the organisation."""
        return {user.user_id: user.name for user in await self._users.read()}

    async def people_by_key(self) -> dict[str, str]:
        """The same by id and by e-mail address, both in lower case. A name that two have comes with the address."""
        users = await self._users.read()
        times = Counter(user.name for user in users)
        found: dict[str, str] = {}
        for user in users:
            shown = f"{user.name} ({user.email})" if times[user.name] > 1 and user.email else user.name
            found |= {key.casefold(): shown for key in (user.user_id, user.email) if key}
        return found

    async def _read_users(self) -> list[User]:
        found = []
        for row in await self._client.organizations.users():
            if user_id := word(row.get("id")):
                email = one_line(text(row.get("email")), 80)
                name = f"{text(row.get('firstName'))} {text(row.get('lastName'))}".strip() or email
                found.append(User(user_id, email, one_line(name, 60)))
        return found


class _Kept(Generic[T]):
    """One of them, and until when it is kept."""

    def __init__(self, client: DeepOriginClient, request: Callable[[], Awaitable[T]], nothing: Callable[[], T]) -> None:
        self._now = client.timing.monotonic
        self._request = request
        self._nothing = nothing
        self._reading = anyio.Lock()
        self._kept = nothing()
        self._until = float("-inf")

    async def read(self) -> T:
        async with self._reading:
            now = self._now()
            if now >= self._until:
                try:
                    self._kept = await self._request()
                except DeepOriginError:
                    self._kept = self._nothing()
                self._until = now + KEPT_SECONDS
            return self._kept
