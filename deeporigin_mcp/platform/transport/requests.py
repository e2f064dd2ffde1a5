"""One request to the platform: authorised, bounded in size and time, retried where that is safe.

Redirects are not followed, so that the token goes to the base URL's own origin only. Nothing is written to disk.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode

import anyio

from deeporigin_mcp.errors import (
    ArgumentError,
    DeepOriginError,
    NetworkError,
    PlatformError,
)
from deeporigin_mcp.platform.records.sanitizing import one_line, register_secret
from deeporigin_mcp.platform.transport import tracing
from deeporigin_mcp.platform.transport.connections import ACCEPT_JSON, Connections
from deeporigin_mcp.platform.transport.decompression import decoded
from deeporigin_mcp.platform.transport.http_errors import failure, message_in, sanitized_body
from deeporigin_mcp.platform.transport.network_errors import network_errors
from deeporigin_mcp.platform.transport.retry import Attempts, RetryPolicy, http_date, retry_after_seconds
from deeporigin_mcp.platform.transport.signed_links import SignedLink, signed_link, store_failure
from deeporigin_mcp.platform.transport.timing import Timing
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.settings.network import Route, Trust

if TYPE_CHECKING:
    # Imported by the functions that use it: a server starts faster without it.
    import httpx

DEFAULT_TIMEOUT_SECONDS = 10.0
CREATE_TIMEOUT_SECONDS = 600.0
"""Quoting and synchronous runs may take this long (platform-facts 4.4)."""
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


class _Request(NamedTuple):
    """What `Transport.send` was asked to send."""

    method: str
    path: str
    what: str
    params: Mapping[str, str | int] | None
    body: Any
    accept: str
    timeout_seconds: float
    public: bool


class Transport:
    """Sends requests for one set of credentials."""

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
        self._connections = Connections(
            settings.base_url, http=http, user_agent=user_agent, timeout_seconds=timeout_seconds
        )
        self.requests_sent = 0
        self.on_accepted: Callable[[], None] = lambda: None
        """Called after each 2xx response to a request with the token."""
        self._clock_offset = 0.0
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

    @property
    def network(self) -> tuple[Route, Trust]:
        """The route to the platform (proxy or direct), and the trusted certificates.

        Raises:
            SettingsError: a variable about proxies or certificates is invalid.
        """
        pool = self._connections.platform()
        return pool.route, pool.trust

    async def aclose(self) -> None:
        """Close all connections for good."""
        await self._connections.aclose()

    async def close_connections(self) -> None:
        """Close all connections; a later request opens new ones."""
        await self._connections.close()

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
        seconds = self._timeout_seconds if timeout_seconds is None else timeout_seconds
        request = _Request(method, path, what, params, body, accept, seconds, public)
        sendings = Attempts(self._policy, self._timing, most=attempts)
        while True:
            pause_asked: float | None = None
            try:
                status, headers, content = await self._once(request, sendings.number)
            except NetworkError as caught:
                error: DeepOriginError = caught
            else:
                if status < 300:
                    return _decoded(content, what)
                pause_asked = retry_after_seconds(headers, self._timing)
                error = self._error_for(status, content, headers, what, pause_asked)
            await sendings.pause(error, pause_asked)

    async def _once(self, asked: _Request, attempt: int) -> tuple[int, httpx.Headers, bytes]:
        headers = {"Accept": asked.accept} | ({} if asked.public else self._authorization())
        pool = self._connections.platform()
        with _encodable(asked.what):
            url = self._url(asked.path, [*(asked.params or {}).items()])
            request = pool.http.build_request(
                asked.method, url, json=asked.body, headers=headers, timeout=asked.timeout_seconds
            )
        headers.clear()
        self.requests_sent += 1
        with (
            tracing.attempt(request, asked.path, attempt) as sending,
            network_errors(asked.what, asked.timeout_seconds, pool.route, pool.trust),
        ):
            # httpx bounds each read; this bounds the whole response, also one that trickles in.
            with anyio.fail_after(2 * asked.timeout_seconds):
                response = await pool.http.send(request, stream=True)
                sending.responded(response.status_code, response.headers)
                self._set_clock(response.headers)
                if response.status_code < 300 and not asked.public:
                    self.on_accepted()
                try:
                    return response.status_code, response.headers, await _bounded_body(response, asked.what)
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
            pool, path, url = self._connections.store(address.origin), "/signed-link", address.reveal()
        else:
            sent |= self._authorization()
            pool, path, url = self._connections.platform(), address, self._url(address, params)
            params = ()
        timeout = httpx.Timeout(self._timeout_seconds, read=silence_seconds, write=silence_seconds)
        with _encodable(what):
            request = pool.http.build_request(
                method, url, params=[*params] or None, headers=sent, content=content, timeout=timeout
            )
        sent.clear()
        self.requests_sent += 1
        with network_errors(what, silence_seconds, pool.route, pool.trust):
            with tracing.attempt(request, path, 1) as opening:
                response = await pool.http.send(request, stream=True)
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

    async def post_elsewhere(self, url: str, body: bytes) -> None:
        """POST JSON once to an address that is no part of the platform. Raises as `open` does with a signed link."""
        origin, _, path = url.partition("://")[2].partition("/")
        # It may be what lets one post there, and libraries log addresses.
        register_secret(path)
        link = SignedLink(url, f"{url.partition('://')[0]}://{origin.partition('?')[0]}")

        async def content() -> AsyncIterator[bytes]:
            yield body

        headers = {"Content-Type": ACCEPT_JSON, "Content-Length": str(len(body))}
        async with self.open(
            "POST", link, what="webhook", headers=headers, content=content(), silence_seconds=self._timeout_seconds
        ):
            pass

    def _url(self, path: str, params: Sequence[tuple[str, str | int]]) -> str:
        """Put together here: httpx would parse it three times, a tenth of what a poll costs."""
        base = self._settings.base_url.rstrip("/")
        return f"{base}/{path.lstrip('/')}" + (f"?{urlencode(params)}" if params else "")

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
        attempts = Attempts(self._policy, self._timing, budget_seconds=budget_seconds)
        while True:
            try:
                if await once():
                    return
            except DeepOriginError as error:
                await attempts.pause(error)
            else:
                await attempts.begin_anew()

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
