"""Connection pools: one to the platform, and one to each file store that it links to."""

from __future__ import annotations

import functools
import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from deeporigin_mcp.platform.transport.decompression import ACCEPT_ENCODING
from deeporigin_mcp.settings.network import Route, Trust, context_of, route_to, trusted

if TYPE_CHECKING:
    # Imported by the functions that use it: a server starts faster without it.
    import httpx

ACCEPT_JSON = "application/json"
MAX_CONNECTIONS = 30
"""Twenty concurrent polls, and event streams beside them."""


class Pool(NamedTuple):
    """The connections to one server, and the way to it (proxy or direct; trusted certificates)."""

    http: httpx.AsyncClient
    route: Route
    trust: Trust


class Connections:
    """The pools of one client, each opened by its first request.

    Args:
        http: a transport for all of them, instead of the network.
        timeout_seconds: for connecting and for each read.
    """

    def __init__(
        self, base_url: str, *, http: httpx.AsyncBaseTransport | None, user_agent: str, timeout_seconds: float
    ) -> None:
        self._base_url = base_url
        self._given_http = http
        self._user_agent = user_agent
        self._timeout_seconds = timeout_seconds
        self._pools: dict[str, Pool] = {}
        """By origin; the platform's under the empty text."""
        self._is_closed = False

    def platform(self) -> Pool:
        """The pool for requests with the token.

        Raises:
            SettingsError: a variable about proxies or certificates is invalid.
            RuntimeError: the client is closed.
        """
        return self._pools.get("") or self._opened("", self._base_url, {"Accept": ACCEPT_JSON})

    def store(self, origin: str) -> Pool:
        """The pool for the signed links of one file store; it never has the token. Raises as `platform` does."""
        return self._pools.get(origin) or self._opened(origin, origin, {})

    def _opened(self, key: str, base_url: str, headers: Mapping[str, str]) -> Pool:
        import httpx

        if self._is_closed:
            raise RuntimeError("Cannot send a request, as the client has been closed.")
        route = Route() if self._given_http is not None else route_to(base_url)
        is_tls = base_url.startswith("https:")
        trust = trusted() if is_tls else Trust()
        certificates = _certificates(trust if is_tls else None)
        proxy = route.proxy
        http = httpx.AsyncClient(
            base_url=base_url,
            headers={"Accept-Encoding": ACCEPT_ENCODING, "User-Agent": self._user_agent, **headers},
            timeout=self._timeout_seconds,
            follow_redirects=False,
            limits=httpx.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=MAX_CONNECTIONS),
            transport=self._given_http,
            verify=certificates,
            # settings/network.py reads the environment and has better messages.
            trust_env=False,
            proxy=None
            if proxy is None
            else httpx.Proxy(
                proxy.url, auth=proxy.credentials, ssl_context=certificates if proxy.scheme == "https" else None
            ),
        )
        self._pools[key] = Pool(http, route, trust)
        return self._pools[key]

    async def aclose(self) -> None:
        """Close all connections for good."""
        self._is_closed = True
        await self.close()

    async def close(self) -> None:
        """Close all connections; a later request opens new ones."""
        pools = [*self._pools.values()]
        # Forgotten before the first pause: a request that comes meanwhile must not get a pool that is being closed.
        self._pools.clear()
        for pool in pools:
            await pool.http.aclose()


@functools.cache
def _certificates(trust: Trust | None) -> ssl.SSLContext:
    """The trusted certificates. Loading them takes 30 ms of CPU; the clients of a process share them.

    None stands for http://, where nothing is verified and loading them would only cost time.
    """
    import httpx

    if trust is None:
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return context_of(trust) if trust.variables else httpx.create_ssl_context(trust_env=False)
