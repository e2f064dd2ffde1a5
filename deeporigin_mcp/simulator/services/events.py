"""`/sse`: frames that say "look again", and nothing else (platform-facts 1.18).

A stream sends `retry: 3000`, a heartbeat comment every 25 real seconds (25 simulated ones under a `ManualClock`), and
a `filters.dirty` frame whenever an execution named by one of its filters changed: status, a tenth of its progress,
its data-platform row. Nothing is replayed. A filter is `<client's id>=execution:<executionId>`.
"""

import json
from collections.abc import AsyncIterator
from datetime import timedelta

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from deeporigin_mcp.simulator.services.requests import caller_of, permitted, platform_of
from deeporigin_mcp.simulator.state.execution import Execution
from deeporigin_mcp.simulator.state.platform import Platform
from deeporigin_mcp.simulator.state.refusals import conflict, invalid, not_found

HEARTBEAT_SECONDS = 25.0
RETRY_MILLISECONDS = 3000

Followed = list[tuple[str, Execution]]
"""Executions that a stream follows, each with the id of the filter that names it."""


def _marks(followed: Followed) -> dict[tuple[str, str], tuple[int, int]]:
    """A value of each execution that differs whenever it looks different."""
    return {(name, execution.id): execution.change_count() for name, execution in followed}


class EventStream(StreamingResponse):
    """A streaming response that gives its connection slot back however it ends."""

    def __init__(self, platform: Platform, slot: tuple[str, str], followed: Followed) -> None:
        super().__init__(_frames(platform, followed, _marks(followed)), media_type="text/event-stream")
        self.headers["cache-control"] = "no-cache"
        self._platform = platform
        self._slot = slot

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._platform.open_streams[self._slot] -= 1


async def _frames(
    platform: Platform, followed: Followed, seen: dict[tuple[str, str], tuple[int, int]]
) -> AsyncIterator[str]:
    yield f"retry: {RETRY_MILLISECONDS}\n\n"
    clock = platform.clock
    interval = timedelta(seconds=HEARTBEAT_SECONDS * clock.speed)
    heartbeat = clock.now() + interval
    with clock.listen() as listener:
        while not platform.closing:
            before, seen = seen, _marks(followed)
            dirty = list(dict.fromkeys(key[0] for key, mark in seen.items() if before[key] != mark))
            if dirty:
                flushed = int(clock.now().timestamp() * 1000)
                frame = {"type": "filters.dirty", "filters": dirty, "flushedAt": flushed}
                yield f"data: {json.dumps(frame, separators=(',', ':'))}\n\n"
            elif clock.now() >= heartbeat:
                heartbeat = clock.now() + interval
                yield ": heartbeat\n\n"
            else:
                changes = [execution.next_change() for _, execution in followed]
                await listener.wait(min([heartbeat, *filter(None, changes)]), background=True)


async def stream(request: Request) -> Response:
    """Open a stream on one project."""
    platform, caller = platform_of(request), caller_of(request)
    organisation = permitted(request, caller)
    project = request.path_params["project"]
    if project not in organisation.projects:
        raise not_found(f"Project {project} not found")
    followed = []
    for text in request.query_params.getlist("filter"):
        name, separator, pattern = text.partition("=")
        if not separator:
            raise invalid("Validation failed", [("filter", "must be <id>=<pattern>")])
        execution = platform.executions.get(pattern.removeprefix("execution:"))
        if execution is not None and (execution.org, execution.project_id or project) == (organisation.key, project):
            followed.append((name, execution))
    slot = (caller.subject, project)
    if platform.open_streams.get(slot, 0) >= platform.streams_per_user:
        raise conflict("Too many event streams of this user on this project")
    platform.open_streams[slot] = platform.open_streams.get(slot, 0) + 1
    return EventStream(platform, slot, followed)


ROUTES = [Route("/sse/{org}/stream/{project}", stream, methods=["GET"])]
