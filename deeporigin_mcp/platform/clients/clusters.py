"""Compute clusters of the organisation (platform-facts 1.12)."""

from __future__ import annotations

from deeporigin_mcp.errors import PlatformError
from deeporigin_mcp.platform.records.sanitizing import word
from deeporigin_mcp.platform.records.values import Json
from deeporigin_mcp.platform.transport.requests import Transport
from deeporigin_mcp.platform.transport.responses import expect_list, rows_of
from deeporigin_mcp.platform.transport.scope import Scope


class Clusters:
    """`client.clusters`."""

    def __init__(self, transport: Transport, scope: Scope) -> None:
        self._transport = transport
        self._scope = scope
        self._default_id = ""

    async def list(
        self,
        *,
        page: int | None = None,
        page_size: int | None = None,
        order: str | None = None,
        filter: str | None = None,  # noqa: A002 (the platform's own word)
    ) -> Json:
        """`{"data": [cluster, …], "pagination": {"count": n}}`, whatever envelope the platform used."""
        given = {"page": page, "pageSize": page_size, "order": order, "filter": filter}
        response = await self._transport.send(
            "GET",
            f"/tools/{self._scope.org_segment}/clusters",
            what="list clusters",
            params={key: value for key, value in given.items() if value is not None},
        )
        checked = expect_list(response, "list clusters")
        if isinstance(checked, dict):
            return checked
        rows = rows_of(checked)
        return {"data": rows, "pagination": {"count": len(rows)}}

    async def default_id(self) -> str:
        """The first cluster's id, as the official client picks it; requested once per client.

        Raises:
            PlatformError: the organisation has no cluster.
        """
        if not self._default_id:
            ids = [word(row.get("id")) for row in rows_of(await self.list())]
            self._default_id = next((name for name in ids if name), "")
        if not self._default_id:
            raise PlatformError(
                "The organisation has no compute cluster, so nothing can run.",
                next_step="Tell the user to ask Deep Origin's support for one, or give a cluster_id.",
                code="no_cluster",
            )
        return self._default_id
