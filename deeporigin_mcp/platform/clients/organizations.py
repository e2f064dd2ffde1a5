"""Organisations that the token's owner belongs to (platform-facts 1.13)."""

from __future__ import annotations

import builtins

from deeporigin_mcp.platform.records.values import Json
from deeporigin_mcp.platform.transport.requests import Transport
from deeporigin_mcp.platform.transport.responses import expect_list, rows_of
from deeporigin_mcp.platform.transport.scope import Scope


class Organizations:
    """`client.organizations`."""

    def __init__(self, transport: Transport, scope: Scope) -> None:
        self._transport = transport
        self._scope = scope

    async def list(self) -> builtins.list[Json]:
        """The organisations' rows; a bare list from the platform counts too."""
        what = "list organisations"
        response = await self._transport.send("GET", "/entities/protected/organizations", what=what)
        return rows_of(expect_list(response, what))

    async def users(self) -> builtins.list[Json]:
        """The users of the client's organisation."""
        what = "list users"
        path = f"/entities/{self._scope.org_segment}/organizations/users"
        return rows_of(expect_list(await self._transport.send("GET", path, what=what), what))
