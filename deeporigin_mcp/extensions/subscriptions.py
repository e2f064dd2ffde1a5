"""Subscriptions to resources in both eras: `resources/subscribe` (to 2025-11-25), `subscriptions/listen` (2026-07-28).

The SDK carries the messages: its `ListenHandler` acknowledges, filters and stamps. What it lacks (2.3.0), and what is
here:

- Its bus does not know which resources have subscribers, so a host would have to poll all of them for ever. Here a
  `Feed` follows a resource only while somebody is subscribed to it.
- Its bus is shared by all callers. Here a stream gets events of its own caller's feed only.
- It accepts any URI. Here only URIs that the feed can follow are accepted.
- It has no `resources/subscribe`, and no way to learn that a connection has ended.

For a subscriber of 2025-11-25 that does not read, at most one update of each resource is queued. The SDK's streams of
2026-07-28 queue up to 1024 events and then end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import anyio.abc
from mcp.server.connection import Connection
from mcp.server.context import CallNext, HandlerResult
from mcp.server.mcpserver import MCPServer
from mcp.server.subscriptions import ListenHandler, ResourceUpdated, ServerEvent
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    EmptyResult,
    SubscribeRequestParams,
    SubscriptionsListenRequestParams,
    UnsubscribeRequestParams,
)

from deeporigin_mcp.extensions.deferral import RequestContext
from deeporigin_mcp.extensions.registration import serve

MAX_RESOURCES = 100
"""How many resources one connection or one stream may follow."""
MAX_STREAMS = 256
"""How many `subscriptions/listen` streams a server holds open."""
_STATE = "deeporigin_mcp.subscriptions"

Stop = Callable[[], None]


class Feed(Protocol):
    """A host's resources that change."""

    def refusal(self, uri: str) -> str | None:
        """Why nobody can subscribe to this resource; None if it can be followed."""

    def follow(self, ctx: RequestContext, uri: str, on_update: Callable[[], None]) -> Stop:
        """Call `on_update`, which neither raises nor waits, whenever the resource changes, until stopped."""

    def tasks(self, ctx: RequestContext) -> anyio.abc.TaskGroup:
        """A task group that outlasts this request; it ends with the server at the latest."""


class Subscriptions:
    """Serves subscriptions to what a feed can follow."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._streams = 0

    def serve(self, server: MCPServer[Any]) -> None:
        """Register the methods of both eras."""
        serve(server, "resources/subscribe", SubscribeRequestParams, self._subscribe)
        serve(server, "resources/unsubscribe", UnsubscribeRequestParams, self._unsubscribe)
        serve(server, "subscriptions/listen", SubscriptionsListenRequestParams, self._listen)
        server.middleware.append(_advertise_honestly)

    # To 2025-11-25

    async def _subscribe(self, ctx: RequestContext, params: SubscribeRequestParams) -> HandlerResult:
        connection = _connection(ctx)
        if not connection.has_standalone_channel:
            raise MCPError(
                INVALID_REQUEST,
                "This connection has no session, so it cannot receive updates. Read the resource again from time to "
                "time, or use protocol 2026-07-28 with subscriptions/listen.",
            )
        if (refusal := self._feed.refusal(params.uri)) is not None:
            raise MCPError(INVALID_PARAMS, refusal, data={"uri": params.uri})
        mine = connection.state.get(_STATE)
        if mine is None:
            mine = connection.state[_STATE] = _Pushed(connection, self._feed.tasks(ctx))
            connection.exit_stack.callback(mine.stop_all)
        if len(mine.stops) >= MAX_RESOURCES and params.uri not in mine.stops:
            raise MCPError(
                INVALID_REQUEST,
                f"Too many subscriptions: this connection has {MAX_RESOURCES}. Unsubscribe from some first.",
                data={"uri": params.uri},
            )
        if params.uri not in mine.stops:
            mine.stops[params.uri] = self._feed.follow(ctx, params.uri, mine.sender(params.uri))
        return EmptyResult()

    async def _unsubscribe(self, ctx: RequestContext, params: UnsubscribeRequestParams) -> HandlerResult:
        mine = _connection(ctx).state.get(_STATE)
        if mine is not None:
            mine.stop(params.uri)
        return EmptyResult()

    # 2026-07-28

    async def _listen(self, ctx: RequestContext, params: SubscriptionsListenRequestParams) -> HandlerResult:
        if self._streams >= MAX_STREAMS:
            raise MCPError(INTERNAL_ERROR, f"Too many subscription streams: {MAX_STREAMS} are open. Try again later.")
        asked = dict.fromkeys(params.notifications.resource_subscriptions or ())
        uris = [uri for uri in asked if self._feed.refusal(uri) is None][:MAX_RESOURCES]
        agreed = params.notifications.model_copy(update={"resource_subscriptions": uris or None})
        mine = params.model_copy(update={"notifications": agreed})
        self._streams += 1
        try:
            return await ListenHandler(_Demand(self._feed, ctx, uris))(ctx, mine)
        finally:
            self._streams -= 1


class _Demand:
    """The bus of one stream: its resources are followed while the stream listens."""

    def __init__(self, feed: Feed, ctx: RequestContext, uris: Sequence[str]) -> None:
        self._feed = feed
        self._ctx = ctx
        self._uris = uris

    async def publish(self, event: ServerEvent) -> None:
        """Unused: the feed calls the listener directly."""

    def subscribe(self, listener: Callable[[ServerEvent], None]) -> Stop:
        def sender(uri: str) -> Callable[[], None]:
            return lambda: listener(ResourceUpdated(uri))

        stops = [self._feed.follow(self._ctx, uri, sender(uri)) for uri in self._uris]

        def stop() -> None:
            for each in stops:
                each()

        return stop


class _Pushed:
    """The subscriptions of one connection."""

    def __init__(self, connection: Connection, tasks: anyio.abc.TaskGroup) -> None:
        self.stops: dict[str, Stop] = {}
        self._connection = connection
        self._tasks = tasks
        self._waiting: set[str] = set()
        self._sending: set[str] = set()

    def sender(self, uri: str) -> Callable[[], None]:
        """A function that sends an update; later updates merge with one that is still queued."""

        def send() -> None:
            self._waiting.add(uri)
            if uri not in self._sending:
                self._sending.add(uri)
                self._tasks.start_soon(self._send, uri)

        return send

    async def _send(self, uri: str) -> None:
        try:
            while uri in self._waiting and uri in self.stops:
                self._waiting.discard(uri)
                await self._connection.send_resource_updated(uri)
        finally:
            self._sending.discard(uri)

    def stop(self, uri: str) -> None:
        if (stop := self.stops.pop(uri, None)) is not None:
            stop()

    def stop_all(self) -> None:
        for uri in [*self.stops]:
            self.stop(uri)


def _connection(ctx: RequestContext) -> Connection:
    """The connection of a request, which its context does not expose (SDK 2.3.0)."""
    return ctx.session._connection  # noqa: SLF001


async def _advertise_honestly(ctx: RequestContext, call_next: CallNext) -> HandlerResult:
    """Do not advertise `resources.subscribe` on a connection without a session, where it would be refused.

    The SDK derives capabilities from the server's handlers, whatever the connection supports.
    """
    result = await call_next(ctx)
    if ctx.method != "initialize" or not isinstance(result, dict) or _connection(ctx).has_standalone_channel:
        return result
    capabilities = result["capabilities"]
    resources = {**capabilities["resources"], "subscribe": False}
    return {**result, "capabilities": {**capabilities, "resources": resources}}
