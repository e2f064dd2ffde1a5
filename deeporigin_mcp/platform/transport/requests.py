"""One request to the platform: authorised, bounded in size and time, retried where that is safe.

Redirects are not followed, so that the token goes to the base URL's own origin only. Nothing is written to disk.
"""

from __future__ import annotations

import contextlib
import functools
import ssl
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import anyio

from deeporigin_mcp.errors import (
    ArgumentError,
    DeepOriginError,
    NetworkError,
    PlatformError,
    RateLimitError,
    RestrictionError,
)
from deeporigin_mcp.platform.records.sanitizing import one_line, register_secret
from deeporigin_mcp.platform.transport import tracing
from deeporigin_mcp.platform.transport.decompression import ACCEPT_ENCODING, decoded
from deeporigin_mcp.platform.transport.http_errors import failure, message_in, sanitized_body
from deeporigin_mcp.platform.transport.network_errors import network_errors
from deeporigin_mcp.platform.transport.retry import RETRYABLE_STATUSES, RetryPolicy, http_date, retry_after_seconds
from deeporigin_mcp.platform.transport.signed_links import SignedLink, signed_link, store_failure
from deeporigin_mcp.platform.transport.timing import Timing
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.settings.network import Route, Trust, context_of, route_to, trusted

if TYPE_CHECKING:
    # Imported by the functions that use it: a server starts faster without it.
    import httpx

DEFAULT_TIMEOUT_SECONDS = 10.0
CREATE_TIMEOUT_SECONDS = 600.0
"""Quoting and synchronous runs may take this long (platform-facts 4.4)."""
ACCEPT_JSON = "application/json"
ACCEPT_EXECUTION = "application/json;v=2.0"
"""Asks for the v2 progress tree (platform-facts 1.2)."""
MAX_BODY_BYTES = 64 * 1024 * 1024
"""A larger response is refused instead of filling the memory."""
MAX_VALUES = 5_000_000
"""So is one with more JSON values, which take many times their text. Ten thousand executions have two million."""
MAX_WHAT_CHARACTERS = 200
"""How much of `what` a message repeats; it may hold ids that a caller made up."""
CLOCKS_AGREE_SECONDS = 2.0
"""`Date` has whole seconds, and a response takes time."""
LARGEST_OFFSET_SECONDS = 10 * 366 * 24 * 3600.0
"""A `Date` further away than this is ignored."""
MAX_CONNECTIONS = 30
"""Twenty concurrent polls, and event streams beside them."""


@functools.cache
def _certificates(trust: Trust | None) -> ssl.SSLContext:
    """The trusted certificates. Loading them takes 30 ms of CPU; the clients of a process share them.

    None stands for http://, where nothing is verified and loading them would only cost time.
    """
    import httpx

    if trust is None:
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return context_of(trust) if trust.variables else httpx.create_ssl_context(trust_env=False)


class Transport:
    """Sends requests for one set of credentials over one connection pool."""

    def __init__(
        self,
        settings: Settings,
        *,
        timing: Timing,
        policy: RetryPolicy,
        http: httpx.AsyncBaseTransport | None = None,
        user_agent: str,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    ) -> None:
        self._settings = settings
        self._timing = timing
        self._policy = policy
        self._timeout_seconds = timeout_seconds
        self._given_http = http
        self._user_agent = user_agent
        self.requests_sent = 0
        self.on_accepted: Callable[[], None] = lambda: None
        """Called after each 2xx response to a request with the token."""
        self._clock_offset = 0.0
        self._is_closed = False
        self._stores: dict[str, tuple[httpx.AsyncClient, Route]] = {}
        if settings.token is not None:
            register_secret(settings.token.get_secret_value())

    def platform_time(self) -> float:
        """Unix seconds by the platform's clock, from the `Date` header of its last response.

        Before the first one, and where both agree within `CLOCKS_AGREE_SECONDS`, it is this machine's clock.
        """
        return self._timing.wall() + self._clock_offset

    def _set_clock(self, headers: httpx.Headers) -> None:
        instant = http_date(headers.get("date", ""))
        if instant is not None:
            offset = instant - self._timing.wall()
            self._clock_offset = offset if CLOCKS_AGREE_SECONDS <= abs(offset) <= LARGEST_OFFSET_SECONDS else 0.0

    @cached_property
    def _http(self) -> httpx.AsyncClient:
        """The connection pool, created at the first request.

        Raises:
            SettingsError: a variable about proxies or certificates is invalid.
            RuntimeError: the client is closed.
        """
        return self._new_http(self._settings.base_url, self._route, {"Accept": ACCEPT_JSON})

    def _new_http(self, base_url: str, route: Route, headers: Mapping[str, str]) -> httpx.AsyncClient:
        import httpx

        if self._is_closed:
            raise RuntimeError("Cannot send a request, as the client has been closed.")
        proxy = route.proxy
        certificates = _certificates(self._trust_for(base_url) if base_url.startswith("https:") else None)
        return httpx.AsyncClient(
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

    def _store(self, origin: str) -> tuple[httpx.AsyncClient, Route]:
        """The connection pool for the signed links of one file store, and its route; it never has the token."""
        if origin not in self._stores:
            route = Route() if self._given_http is not None else route_to(origin)
            self._stores[origin] = (self._new_http(origin, route, {}), route)
        return self._stores[origin]

    @property
    def network(self) -> tuple[Route, Trust]:
        """The route to the platform (proxy or direct), and the trusted certificates.

        Raises:
            SettingsError: a variable about proxies or certificates is invalid.
        """
        _ = self._http
        return self._route, self._trust

    @cached_property
    def _route(self) -> Route:
        return Route() if self._given_http is not None else route_to(self._settings.base_url)

    @cached_property
    def _trust(self) -> Trust:
        return self._trust_for(self._settings.base_url)

    @staticmethod
    def _trust_for(url: str) -> Trust:
        return trusted() if url.startswith("https:") else Trust()

    async def aclose(self) -> None:
        """Close all connections for good."""
        self._is_closed = True
        await self.close_connections()

    async def close_connections(self) -> None:
        """Close all connections; a later request opens new ones."""
        pools = [http for http, _ in self._stores.values()]
        self._stores.clear()
        # Forgotten before the first pause: a request that comes meanwhile must not get a pool that is being closed.
        if (http := vars(self).pop("_http", None)) is not None:
            pools.append(http)
        for pool in pools:
            await pool.aclose()

    async def send(
        self,
        method: str,
        path: str,
        *,
        what: str,
        params: Mapping[str, str | int] | None = None,
        body: Any = None,
        accept: str = ACCEPT_JSON,
        timeout_seconds: float | None = None,
        attempts: int | None = None,
        public: bool = False,
    ) -> Any:
        """Send a request and return the decoded JSON of the response; None for an empty body.

        Args:
            path: below the base URL; ids already passed through `segment`.
            what: the request in words, for messages.
            timeout_seconds: for connecting and for each read, twice that for the whole response; None: the client's.
            attempts: how often it may be sent; None: as the retry policy says. 1 for what must not be repeated.
            public: send no token (health and version routes).

        Raises:
            CredentialError: the token is missing or expired (nothing was sent), or the status is 401 or 403.
            ArgumentError: the values cannot be encoded as JSON or as a URL; nothing was sent.
            NetworkError: no connection, or no complete response in time.
            DeepOriginError: another error status; `http_errors.failure` has the table.
        """
        what = one_line(what, MAX_WHAT_CHARACTERS)
        started = self._timing.monotonic()
        seconds = self._timeout_seconds if timeout_seconds is None else timeout_seconds
        attempt = 0
        while True:
            attempt += 1
            pause_asked: float | None = None
            try:
                status, headers, content = await self._once(
                    method, path, what, params, body, accept, seconds, public, attempt
                )
            except NetworkError as caught:
                error: DeepOriginError = caught
                may_retry = not caught.is_lasting
            else:
                if status < 300:
                    return _decoded(content, what)
                pause_asked = retry_after_seconds(headers, self._timing)
                error = self._error_for(status, content, headers, what, pause_asked)
                may_retry = status in RETRYABLE_STATUSES and not isinstance(error, RestrictionError)
            pause = self._policy.pause(attempt, self._timing, pause_asked)
            spent = self._timing.monotonic() - started
            most = self._policy.attempts if attempts is None else attempts
            if not may_retry or attempt >= most or spent + pause > self._policy.budget_seconds:
                raise error
            await self._timing.sleep(pause)

    async def _once(
        self,
        method: str,
        path: str,
        what: str,
        params: Mapping[str, str | int] | None,
        body: Any,
        accept: str,
        timeout_seconds: float,
        public: bool,
        attempt: int,
    ) -> tuple[int, httpx.Headers, bytes]:
        headers = {"Accept": accept} | ({} if public else self._authorization())
        http = self._http
        with _encodable(what):
            request = http.build_request(
                method, path, params=params or None, json=body, headers=headers, timeout=timeout_seconds
            )
        headers.clear()
        self.requests_sent += 1
        with tracing.attempt(request, path, attempt) as sending, self._network_errors(what, timeout_seconds):
            # httpx bounds each read; this bounds the whole response, also one that trickles in.
            with anyio.fail_after(2 * timeout_seconds):
                response = await http.send(request, stream=True)
                sending.responded(response.status_code, response.headers)
                self._set_clock(response.headers)
                if response.status_code < 300 and not public:
                    self.on_accepted()
                try:
                    return response.status_code, response.headers, await _bounded_body(response, what)
                finally:
                    await response.aclose()

    @contextlib.asynccontextmanager
    async def stream(
        self, path: str, *, what: str, params: Sequence[tuple[str, str]], silence_seconds: float
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open an event stream and yield its body in pieces. Raises as `send` does; never retried here.

        Args:
            silence_seconds: read timeout, the longest pause between two pieces.
        """
        headers = {"Accept": "text/event-stream"}
        async with self.open(
            "GET", path, what=what, params=params, headers=headers, silence_seconds=silence_seconds
        ) as response:
            # One encoding at most: each further one would multiply the work for a stream without an end.
            yield decoded(response, what, max_bytes=None, max_encodings=1)

    @contextlib.asynccontextmanager
    async def open(
        self,
        method: str,
        address: str | SignedLink,
        *,
        what: str,
        params: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        content: AsyncIterable[bytes] | None = None,
        silence_seconds: float,
    ) -> AsyncIterator[httpx.Response]:
        """Send one request and yield the response with its body unread. Raises as `send` does; never retried here.

        Args:
            address: a path below the base URL, which gets the token; or a signed link, which does not.
            content: the body in pieces; `headers` say how long it is.
            silence_seconds: read and write timeout, the longest pause between two pieces.

        Raises:
            DeepOriginError: for an error of the file store see `signed_links.store_failure`.
        """
        import httpx

        what = one_line(what, MAX_WHAT_CHARACTERS)
        sent = dict(headers or {})
        if isinstance(address, SignedLink):
            (http, route), path, url = self._store(address.origin), "/signed-link", address.reveal()
        else:
            sent |= self._authorization()
            http, route, path, url = self._http, self._route, address, address
        timeout = httpx.Timeout(self._timeout_seconds, read=silence_seconds, write=silence_seconds)
        with _encodable(what):
            request = http.build_request(
                method, url, params=[*params] or None, headers=sent, content=content, timeout=timeout
            )
        sent.clear()
        self.requests_sent += 1
        with network_errors(what, silence_seconds, route, self._trust):
            with tracing.attempt(request, path, 1) as opening:
                response = await http.send(request, stream=True)
                opening.responded(response.status_code, response.headers)
            try:
                if response.status_code >= 300:
                    body = await _bounded_body(response, what)
                    if isinstance(address, SignedLink):
                        raise store_failure(response.status_code, body, what, tracing.request_id())
                    pause_asked = retry_after_seconds(response.headers, self._timing)
                    raise self._error_for(response.status_code, body, response.headers, what, pause_asked)
                yield response
            finally:
                await response.aclose()

    def _authorization(self) -> dict[str, str]:
        token = self._settings.require_token(self._timing.wall()).get_secret_value()
        register_secret(token)
        return {"Authorization": f"Bearer {token}"}

    async def retried(self, once: Callable[[], Awaitable[bool]], *, budget_seconds: float | None = None) -> None:
        """Repeat `once` until it is done, as the retry policy says, after errors that may pass.

        Args:
            once: whether it is done. False means that a failure left something behind to go on from, so that the
                attempts are counted anew.
            budget_seconds: no attempt starts later than this after the first one; None: the policy's.
        """
        budget_seconds = self._policy.budget_seconds if budget_seconds is None else budget_seconds
        attempt, started = 0, self._timing.monotonic()
        while True:
            attempt += 1
            pause_asked = None
            try:
                if await once():
                    return
                attempt, started = 0, self._timing.monotonic()
                pause = self._policy.pause(1, self._timing)
            except DeepOriginError as error:
                if isinstance(error, RateLimitError):
                    pause_asked = error.retry_after_seconds
                may_retry = (isinstance(error, NetworkError) and not error.is_lasting) or (
                    error.http_status in RETRYABLE_STATUSES and not isinstance(error, RestrictionError)
                )
                pause = self._policy.pause(attempt, self._timing, pause_asked)
                spent = self._timing.monotonic() - started
                if not may_retry or attempt >= self._policy.attempts or spent + pause > budget_seconds:
                    raise
            await self._timing.sleep(pause)

    def link_in(self, response: Any) -> SignedLink:
        """The signed link in a response; see `signed_links.signed_link`."""
        return signed_link(response, self._settings.base_url)

    async def head(self, path: str, *, what: str) -> Mapping[str, str]:
        """The headers of a HEAD request, names in lower case. Raises and retries as `send` does."""
        found: dict[str, str] = {}

        async def once() -> bool:
            async with self.open("HEAD", path, what=what, silence_seconds=self._timeout_seconds) as response:
                found.update(response.headers)
            return True

        await self.retried(once)
        return found

    def _network_errors(self, what: str, timeout_seconds: float) -> contextlib.AbstractContextManager[None]:
        return network_errors(what, timeout_seconds, self._route, self._trust)

    def _error_for(
        self, status: int, content: bytes, headers: httpx.Headers, what: str, pause_asked: float | None = None
    ) -> DeepOriginError:
        places = self._settings.places
        return failure(status, content, headers, what=what, retry_after_seconds=pause_asked, places=places)


def _decoded(content: bytes, what: str) -> Any:
    if not content.strip():
        return None
    decoded = sanitized_body(content)
    if decoded is None and content.strip() != b"null":
        raise PlatformError(
            f"The response to {what} is not valid JSON: {message_in(None, content) or 'cut off'}",
            next_step="A proxy may have sent it. Call again. If it fails again, tell the user.",
            code="invalid_json",
            request_id=tracing.count_unreadable(),
        )
    return decoded


async def _bounded_body(response: httpx.Response, what: str) -> bytes:
    chunks = bytearray()
    async for piece in decoded(response, what, max_bytes=MAX_BODY_BYTES):
        chunks += piece
    if len(chunks) > MAX_VALUES and sum(chunks.count(mark) for mark in (b",", b"[", b"{")) > MAX_VALUES:
        raise PlatformError(
            f"The response to {what} has more than {MAX_VALUES:,} values and was not read.",
            next_step="Request fewer rows.",
            code="response_too_large",
        )
    return bytes(chunks)


@contextlib.contextmanager
def _encodable(what: str) -> Iterator[None]:
    """Raise `ArgumentError` for values that JSON, or an address that HTTP, cannot express."""
    import httpx

    try:
        yield
    except (httpx.InvalidURL, ValueError, TypeError, RecursionError):
        raise ArgumentError(
            f"Invalid value in the request to {what}: not expressible as JSON (such as NaN), or far too long.",
            next_step="Check the arguments.",
            code="unsendable",
        ) from None
