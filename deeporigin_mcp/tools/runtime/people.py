"""Who created a run: names for the ids of the platform's records, and the ids that a name may mean."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

import anyio

from deeporigin_mcp.platform import Execution
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.settings.tokens import TokenClaims
from deeporigin_mcp.tools.runtime.state import ServerState

ME = "me"
NAME_CHARACTERS = 60
NO_PROJECT = "no project"
MAX_NAMED = 10
NAMES_SECONDS = 3.0
"""Names are worth a moment: later than this, rows have ids."""


class People(NamedTuple):
    """The organisation's users, and which of them this server works for."""

    names: Mapping[str, str]
    """By id and by e-mail address, both in lower case."""
    own: Collection[str]
    """Id and e-mail address of the token's owner, in lower case."""

    @classmethod
    async def of(cls, state: ServerState) -> People:
        """The users; where they cannot be read, only the token's owner has a name."""
        names: dict[str, str] = {}
        with anyio.move_on_after(NAMES_SECONDS):
            names |= await state.names.people_by_key()
        claims = TokenClaims.read(state.settings.require_token(state.client.timing.wall()))
        own = {key.casefold() for key in (claims.subject, claims.email) if key}
        known = next((names[key] for key in own if key in names), one_line(claims.name, NAME_CHARACTERS))
        if known:
            names |= dict.fromkeys(own, known)
        return cls(names, own | {key for key, name in names.items() if known and name == known})

    def who(self, execution: Execution) -> str:
        """The name of the person who created it, or what the record has instead."""
        return self.names.get(_key(execution.created_by)) or one_line(execution.created_by, NAME_CHARACTERS)

    def meant(self, asked: str) -> Collection[str]:
        """Ids and addresses of everybody whom an id, an address, a name or a part of a name may mean."""
        asked = asked.strip().casefold()
        if asked == ME:
            return self.own
        names = {key: name.casefold() for key, name in self.names.items()}
        exactly = {name for key, name in names.items() if asked in (key, name)}
        partly = {name for name in names.values() if asked in name.split()}
        return {key for key, name in names.items() if name in (exactly or partly)} | {_key(asked)}

    def listed(self) -> str:
        """Some of the names."""
        names = list(dict.fromkeys(self.names.values()))
        return ", ".join([*names[:MAX_NAMED], *(["…"] if len(names) > MAX_NAMED else [])])


def created_by_one_of(execution: Execution, keys: Collection[str]) -> bool:
    return _key(execution.created_by) in keys


def _key(created_by: str) -> str:
    """An id or an address without what some records have before it, as in `google-apps|user@x`."""
    return created_by.rpartition("|")[2].strip().casefold()


async def other_projects(state: ServerState, executions: Iterable[Execution]) -> Mapping[str, str]:
    """Names by id of the projects of these runs, without the server's own; none if they are all of that one.

    Runs of no project are among them where the server has one: they would be taken for runs of that.
    """
    own = state.settings.project_id
    found = {execution.project_id for execution in executions} - {own}
    ids = found - {""}
    names = await state.names.projects() if ids else {}
    others = {project_id: names.get(project_id) or one_line(project_id, NAME_CHARACTERS) for project_id in ids}
    return {**others, "": NO_PROJECT} if "" in found else others
