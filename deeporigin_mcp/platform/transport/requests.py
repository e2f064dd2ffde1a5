"""One request to the platform: authorised, bounded, retried where that is safe, and its errors told apart.

The only importer of httpx's client. Deliberate differences from the official client's transport:
`Retry-After` is honoured; redirects are not followed; the token goes to the base URL's own origin and nowhere
else; a network failure is an error of this package; nothing is written to disk.
"""

from __future__ import annotations

import contextlib
import functools
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import anyio

from deeporigin_mcp.errors import (
    ArgumentError,
    DeepOriginError,
    NetworkError,
    PlatformError,
    RestrictionError,
)
from deeporigin_mcp.platform.records.sanitizing import one_line, register_secret, sanitized
from deeporigin_mcp.platform.transport import http_errors as failures
from deeporigin_mcp.platform.transport import tracing as traffic
from deeporigin_mcp.platform.transport.decompression import ACCEPT_ENCODING, decoded
from deeporigin_mcp.platform.transport.network_errors import network_errors
from deeporigin_mcp.platform.transport.retry import RETRYABLE_STATUSES, RetryPolicy, http_date, retry_after_seconds
from deeporigin_mcp.platform.transport.timing import Timing
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.settings.network import Route, Trust, context_of, route_to, trusted

if TYPE_CHECKING:
    # Imported by the functions that use it: a server has answered its client long before it needs HTTP.
    import httpx

DEFAULT_TIMEOUT_SECONDS = 10.0
CREATE_TIMEOUT_SECONDS = 600.0
"""Quoting and synchronous runs may take this long (platform-facts 4.4)."""
ACCEPT_JSON = "application/json"
ACCEPT_EXECUTION = "application/json;v=2.0"
"""Asks for the v2 progress tree (platform-facts 1.2)."""
MAX_BODY_BYTES = 64 * 1024 * 1024
"""An answer larger than this is refused instead of filling the memory."""
MAX_VALUES = 5_000_000
"""So is one of more values, each of which takes many times its text. Ten thousand executions have two million."""
MAX_WHAT_CHARACTERS = 200
"""How much a message repeats of the request in words, which may hold ids that a caller made up."""
CLOCKS_AGREE_SECONDS = 2.0
"""`Date` has whole seconds, and a response takes time."""
LARGEST_OFFSET_SECONDS = 10 * 366 * 24 * 3600.0
"""A `Date` further away than this is no clock."""
MAX_CONNECTIONS = 30
"""Twenty looks at a time, and event streams beside them."""


@functools.cache
def _certificates(trust: Trust) -> ssl.SSLContext:
    """Reading the trusted certificates takes 30 ms of a processor; many clients in one process share them."""
    import httpx

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
        """Called whenever the platform has served a request with the token."""
        self._clock_offset = 0.0
        if settings.token is not None:
            register_secret(settings.token.get_secret_value())

    def platform_time(self) -> float:
        """Unix seconds by the clock that the platform's times are of, as the `Date` of its last response told it.

        Until then, and where the two agree within `CLOCKS_AGREE_SECONDS`, it is this machine's clock.
        """
        return self._timing.wall() + self._clock_offset

    def _set_clock(self, headers: httpx.Headers) -> None:
        instant = http_date(headers.get("date", ""))
        if instant is not None:
            offset = instant - self._timing.wall()
            self._clock_offset = offset if CLOCKS_AGREE_SECONDS <= abs(offset) <= LARGEST_OFFSET_SECONDS else 0.0

    @cached_property
    def _http(self) -> httpx.AsyncClient:
        """The connection pool, made for the first request.

        Raises:
            SettingsError: a variable about proxies or certificates cannot be used.
        """
        import httpx

        base_url = self._settings.base_url
        proxy = self._route.proxy
        if base_url.startswith("https:"):
            certificates = _certificates(self._trust)
        else:
            # Nothing is checked over http://, and nothing has to be read for it.
            certificates = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        return httpx.AsyncClient(
            base_url=base_url,
            headers={"Accept": ACCEPT_JSON, "Accept-Encoding": ACCEPT_ENCODING, "User-Agent": self._user_agent},
            timeout=self._timeout_seconds,
            follow_redirects=False,
            limits=httpx.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=MAX_CONNECTIONS),
            transport=self._given_http,
            verify=certificates,
            # What the environment says of the network is read by the settings, which know what to say of it.
            trust_env=False,
            proxy=None
            if proxy is None
            else httpx.Proxy(
                proxy.url, auth=proxy.credentials, ssl_context=certificates if proxy.scheme == "https" else None
            ),
        )

    @property
    def network(self) -> tuple[Route, Trust]:
        """How the platform is reached, and whose certificates count.

        Raises:
            SettingsError: a variable about proxies or certificates cannot be used.
        """
        _ = self._http
        return self._route, self._trust

    @cached_property
    def _route(self) -> Route:
        return Route() if self._given_http is not None else route_to(self._settings.base_url)

    @cached_property
    def _trust(self) -> Trust:
        return trusted() if self._settings.base_url.startswith("https:") else Trust()

    async def aclose(self) -> None:
        if "_http" in vars(self):
            await self._http.aclose()

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
        """Send a request and return the decoded JSON of its answer; None for an empty body.

        Args:
            path: path below the base URL, ids already through `segment`.
            what: the request in words, for messages.
            timeout_seconds: for connecting and for each read, twice that for the whole answer; None for the client's.
            attempts: how often it may be sent; None for the policy's number. 1 for what must not be repeated.
            public: leave the token out (health and version routes).

        Raises:
            CredentialError: before anything is sent, if the token is missing or expired; or on 401 and 403.
            DeepOriginError: the kinds of `errors.py`, by what the platform or the network did.
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
                error = self._failure(status, content, headers, what, pause_asked)
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
        headers = {"Accept": accept}
        if not public:
            token = self._settings.require_token(self._timing.wall())
            register_secret(token.get_secret_value())
            headers["Authorization"] = f"Bearer {token.get_secret_value()}"
        http = self._http
        with _unsendable(what):
            request = http.build_request(
                method, path, params=params or None, json=body, headers=headers, timeout=timeout_seconds
            )
        headers.clear()
        self.requests_sent += 1
        with traffic.attempt(request, path, attempt) as sending, self._network_errors(what, timeout_seconds):
            # httpx bounds each read; this bounds the whole answer, so that a slow drip ends as well.
            with anyio.fail_after(2 * timeout_seconds):
                response = await http.send(request, stream=True)
                sending.answered(response.status_code, response.headers)
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
        """Open an event stream; the caller reads its pieces. Raises as `send` does, and is never retried here.

        Args:
            silence_seconds: the longest pause between two parts of it.
        """
        import httpx

        timeout = httpx.Timeout(self._timeout_seconds, read=silence_seconds)
        token = self._settings.require_token(self._timing.wall())
        register_secret(token.get_secret_value())
        headers = {"Accept": "text/event-stream", "Authorization": f"Bearer {token.get_secret_value()}"}
        http = self._http
        with _unsendable(what):
            request = http.build_request("GET", path, params=[*params], headers=headers, timeout=timeout)
        headers.clear()
        self.requests_sent += 1
        with self._network_errors(what, silence_seconds):
            with traffic.attempt(request, path, 1) as opening:
                response = await http.send(request, stream=True)
                opening.answered(response.status_code, response.headers)
            try:
                if response.status_code >= 300:
                    content = await _bounded_body(response, what)
                    raise self._failure(response.status_code, content, response.headers, what)
                # Only one encoding around what has no end: each other would multiply the work of reading it.
                yield decoded(response, what, max_bytes=None, max_encodings=1)
            finally:
                await response.aclose()

    def _network_errors(self, what: str, timeout_seconds: float) -> contextlib.AbstractContextManager[None]:
        return network_errors(what, timeout_seconds, self._route, self._trust)

    def _failure(
        self, status: int, content: bytes, headers: httpx.Headers, what: str, pause_asked: float | None = None
    ) -> DeepOriginError:
        places = self._settings.places
        return failures.failure(status, content, headers, what=what, retry_after_seconds=pause_asked, places=places)


def _decoded(content: bytes, what: str) -> Any:
    if not content.strip():
        return None
    decoded = sanitized(failures.decoded_body(content))
    if decoded is None and content.strip() != b"null":
        raise PlatformError(
            f"The platform's answer to {what} is not valid JSON: {failures.message_in(None, content) or 'cut off'}",
            next_step="A proxy may have answered in its place. Call again; if it stays, tell the user.",
            request_id=traffic.unreadable(),
        )
    return decoded


async def _bounded_body(response: httpx.Response, what: str) -> bytes:
    chunks = bytearray()
    async for piece in decoded(response, what, max_bytes=MAX_BODY_BYTES):
        chunks += piece
    if len(chunks) > MAX_VALUES and sum(chunks.count(mark) for mark in (b",", b"[", b"{")) > MAX_VALUES:
        raise PlatformError(
            f"The platform's answer to {what} has more than {MAX_VALUES:,} values and was not read.",
            next_step="Ask for fewer rows.",
        )
    return bytes(chunks)


@contextlib.contextmanager
def _unsendable(what: str) -> Iterator[None]:
    """Say which call cannot be put on the wire: numbers, texts or addresses that JSON or HTTP do not have."""
    import httpx

    try:
        yield
    except (httpx.InvalidURL, ValueError, TypeError, RecursionError):
        raise ArgumentError(
            f"This cannot be sent to the platform: {what}. Some value in it is no JSON (such as NaN), or far too long.",
            next_step="Check the values in the call.",
        ) from None
