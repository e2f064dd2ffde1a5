"""`DeepOriginClient`: one transport, and the resource clients on it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Self

import anyio

from deeporigin_mcp import __version__
from deeporigin_mcp.platform.clients.clusters import Clusters
from deeporigin_mcp.platform.clients.executions import Executions
from deeporigin_mcp.platform.clients.health import is_simulated, reach, services_health
from deeporigin_mcp.platform.clients.listing import Listing
from deeporigin_mcp.platform.clients.organizations import Organizations
from deeporigin_mcp.platform.clients.projects import Projects
from deeporigin_mcp.platform.clients.results import Results
from deeporigin_mcp.platform.clients.tools import Tools
from deeporigin_mcp.platform.clients.user_logs import UserLogs
from deeporigin_mcp.platform.transport.requests import DEFAULT_TIMEOUT_SECONDS, Transport
from deeporigin_mcp.platform.transport.retry import RetryPolicy
from deeporigin_mcp.platform.transport.scope import Scope
from deeporigin_mcp.platform.transport.timing import Timing
from deeporigin_mcp.platform.waiting.observer import Observer
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.settings.network import Route, Trust

if TYPE_CHECKING:
    import httpx

    from deeporigin_mcp.platform.clients.billing import Billing
    from deeporigin_mcp.platform.clients.entities import Entities
    from deeporigin_mcp.platform.clients.files import Files
    from deeporigin_mcp.platform.clients.imports import Imports


class DeepOriginClient:
    """An async client of the Deep Origin platform for one organisation.

    ```python
    async with DeepOriginClient() as client:
        page = await client.executions.list(order="createdAt desc", page_size=10)
    ```

    Args:
        settings: None reads the environment and files that the official client reads.
        timing: clock and sleep, for tests.
        retry: how often safe requests are retried.
        timeout_seconds: default for connecting and for each read.
        http: another httpx transport, for tests and proxies.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        timing: Timing | None = None,
        retry: RetryPolicy | None = None,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
        http: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.settings = Settings.load() if settings is None else settings
        self.timing = timing or Timing()
        self._transport = Transport(
            self.settings,
            timing=self.timing,
            policy=retry or RetryPolicy(),
            http=http,
            user_agent=f"deeporigin-mcp/{__version__}",
            timeout_seconds=timeout_seconds,
        )
        self.scope = Scope(
            self.settings.org_key,
            self.settings.project_id,
            self.settings.session,
            billing_tag=self.settings.billing_tag,
        )
        self.clusters = Clusters(self._transport, self.scope)
        self.observer = Observer(self._transport, self.scope, self.timing)
        self.listing = Listing(self._transport, self.scope)
        self.executions = Executions(
            self._transport, self.scope, self.clusters, self.listing, self.observer, self.timing
        )
        self.projects = Projects(self._transport, self.scope)
        self.organizations = Organizations(self._transport, self.scope)
        self.user_logs = UserLogs(self._transport, self.scope)
        self.results = Results(self._transport, self.scope)

    @cached_property
    def tools(self) -> Tools:
        """`client.tools`; made where it is first used, as its caches take more than all of the others."""
        return Tools(self._transport, self.scope, self.timing)

    # Imported where they are first used: a server starts without them.

    @cached_property
    def files(self) -> Files:
        """`client.files`."""
        from deeporigin_mcp.platform.clients.files import Files

        return Files(self._transport, self.scope)

    @cached_property
    def billing(self) -> Billing:
        """`client.billing`."""
        from deeporigin_mcp.platform.clients.billing import Billing

        return Billing(self._transport, self.scope)

    @cached_property
    def entities(self) -> Entities:
        """`client.entities`."""
        from deeporigin_mcp.platform.clients.entities import Entities

        return Entities(self._transport, self.scope, self.timing)

    @cached_property
    def imports(self) -> Imports:
        """`client.imports`."""
        from deeporigin_mcp.platform.clients.imports import Imports
        from deeporigin_mcp.platform.clients.ingestion import Ingestion

        return Imports(
            self.scope,
            self.timing,
            self.observer,
            self.executions,
            self.listing,
            self.files,
            Ingestion(self.timing, self.observer, self.executions, self.results, self.entities),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections for good."""
        with anyio.CancelScope(shield=True):
            await self._transport.aclose()

    async def close_connections(self) -> None:
        """Close all connections; a later request opens new ones."""
        with anyio.CancelScope(shield=True):
            await self._transport.close_connections()

    @property
    def requests_sent(self) -> int:
        """HTTP requests sent so far, retries included."""
        return self._transport.requests_sent

    @property
    def network(self) -> tuple[Route, Trust]:
        """The route to the platform (proxy or direct), and the trusted certificates.

        Raises:
            SettingsError: a variable about proxies or certificates is invalid.
        """
        return self._transport.network

    async def reach(self) -> None:
        """Send a request that needs no credentials.

        Raises:
            DeepOriginError: there is no HTTP response; it says why.
        """
        await reach(self._transport)

    def on_accepted(self, callback: Callable[[], None]) -> None:
        """Call `callback` after each 2xx response to a request with the token: the platform accepts it."""
        self._transport.on_accepted = callback

    def now(self) -> float:
        """Unix seconds by the platform's clock, to compare with the times of its records."""
        return self._transport.platform_time()

    async def post_elsewhere(self, url: str, body: bytes) -> None:
        """POST JSON once to an address of the user's own, without the token; redirects are not followed.

        Raises:
            DeepOriginError: no response, or one that is not 2xx.
        """
        await self._transport.post_elsewhere(url, body)

    async def is_simulated(self) -> bool:
        """Whether this is the simulator of this package; no if that cannot be read. Never raises."""
        return await is_simulated(self._transport)

    async def health(self) -> dict[str, str]:
        """Service → `ok`, its own word, `HTTP <status>` or `unreachable`; never raises."""
        return await services_health(self._transport)
