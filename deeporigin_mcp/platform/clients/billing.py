"""What was billed under a billing tag (platform-facts 1.15)."""

from __future__ import annotations

from deeporigin_mcp.errors import PlatformError
from deeporigin_mcp.platform.records.values import Json
from deeporigin_mcp.platform.transport.requests import Transport
from deeporigin_mcp.platform.transport.responses import AGAIN, expect_object
from deeporigin_mcp.platform.transport.scope import Scope, segment


class Billing:
    """`client.billing`."""

    def __init__(self, transport: Transport, scope: Scope) -> None:
        self._transport = transport
        self._scope = scope

    async def usage_by_tag(self, tag: str, start_date: str, end_date: str) -> list[Json]:
        """The billed items of a tag, each with `total_cost` in USD.

        Args:
            start_date: the first day, such as 2026-05-07.
            end_date: the last day, itself included.

        Raises:
            PlatformError: `invalid_response`, if the response has no list of items.
        """
        what = f"read the usage of billing tag {tag}"
        path = f"/billing/{self._scope.org_segment}/usage/{segment(tag, 'tag')}"
        params: dict[str, str | int] = {"startDate": start_date, "endDate": end_date}
        items = expect_object(await self._transport.send("GET", path, what=what, params=params), what).get("items")
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise PlatformError(
                f"Invalid response of the platform to {what}: no items.", next_step=AGAIN, code="invalid_response"
            )
        return items
