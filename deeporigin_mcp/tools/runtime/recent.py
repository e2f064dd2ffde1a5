"""The newest executions, kept for a few seconds, because each key press requests completions."""

from __future__ import annotations

from typing import NamedTuple

import anyio

from deeporigin_mcp.platform import DeepOriginClient, Execution, ListQuery

KEPT_SECONDS = 10.0
ROWS = 100


class Recent(NamedTuple):
    """The newest executions, newest first, and how many there are in all (`total`)."""

    executions: list[Execution]
    total: int


class RecentExecutions:
    """Reads the newest executions once in `KEPT_SECONDS`, however many requests come."""

    def __init__(self, client: DeepOriginClient) -> None:
        self._client = client
        self._reading = anyio.Lock()
        self._found = Recent([], 0)
        self._until = float("-inf")

    async def read(self) -> Recent:
        """The newest hundred.

        Raises:
            DeepOriginError: they cannot be read.
        """
        async with self._reading:
            now = self._client.timing.monotonic()
            if now >= self._until:
                response = await self._client.listing.page(ListQuery(order="createdAt desc"), 0, ROWS)
                executions = [Execution(row) for row in response["data"]]
                self._found = Recent([one for one in executions if one.execution_id], response["count"])
                self._until = now + KEPT_SECONDS
            return self._found
