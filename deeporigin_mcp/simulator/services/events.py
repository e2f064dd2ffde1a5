"""`/sse`: frames that say "look again", and nothing else (platform-facts 1.18).

A stream sends `retry: 3000`, a heartbeat comment every 25 real seconds (25 simulated ones under a `ManualClock`), and
a `filters.dirty` frame whenever an execution named by one of its filters changed: status, a tenth of its progress,
its data-platform row. Nothing is replayed. A filter is `<client's id>=execution:<executionId>`; `execution:*` is the
simulator's own addition and means every execution of the project.
"""

import json
from collections.abc import AsyncIterator, Iterable
from datetime import datetime, timedelta

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

_KIND = "execution:"


class Watch:
    """The executions that a stream follows, by filter, and how they looked last."""

    def __init__(self, platform: Platform, org: str, project: str, filters: Iterable[tuple[str, str]]) -> None:
        self._platform = platform
        self._org = org
        self._project = project
        self._filters = list(filters)
        self._seen = self._look()

    def dirty(self) -> list[str]:
        """Filters with a change since the last call, in the client's order."""
        before, self._seen = self._seen, self._look()
        changed = [name for (name, key), mark in self._seen.items() if before.get((name, key)) != mark]
        return list(dict.fromkeys(changed))

    def next_change(self) -> datetime | None:
        """The next instant at which time alone changes something."""
        instants = [execution.next_change() for _, execution in self._followed()]
        return min((instant for instant in instants if instant is not None), default=None)

    def _look(self) -> dict[tuple[str, str], tuple[int, int]]:
        return {(name, execution.id): execution.change_count() for name, execution in self._followed()}

    def _followed(self) -> list[tuple[str, Execution]]:
        return [(name, execution) for name, pattern in self._filters for execution in self._matching(pattern)]

    def _matching(self, pattern: str) -> list[Execution]:
        if not pattern.startswith(_KIND):
            return []
        wanted = pattern.removeprefix(_KIND)
        if wanted == "*":
            found = self._platform.executions_of(self._org)
        else:
            execution = self._platform.executions.get(wanted)
            found = [execution] if execution is not None and execution.org == self._org else []
        return [execution for execution in found if execution.project_id in {self._project, None}]


class EventStream(StreamingResponse):
    """A streaming response that gives its connection slot back however it ends."""

    def __init__(self, platform: Platform, slot: tuple[str, str], watch: Watch) -> None:
        super().__init__(_frames(platform, watch), media_type="text/event-stream")
        self.headers["cache-control"] = "no-cache"
        self._platform = platform
        self._slot = slot

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._platform.open_streams[self._slot] -= 1


async def _frames(platform: Platform, watch: Watch) -> AsyncIterator[str]:
    yield f"retry: {RETRY_MILLISECONDS}\n\n"
    clock = platform.clock
    interval = timedelta(seconds=HEARTBEAT_SECONDS * clock.speed)
    heartbeat = clock.now() + interval
    with platform.bell.listen() as listener:
        while not platform.closing:
            dirty = watch.dirty()
            if dirty:
                flushed = int(clock.now().timestamp() * 1000)
                frame = {"type": "filters.dirty", "filters": dirty, "flushedAt": flushed}
                yield f"data: {json.dumps(frame, separators=(',', ':'))}\n\n"
            elif clock.now() >= heartbeat:
                heartbeat = clock.now() + interval
                yield ": heartbeat\n\n"
            else:
                change = watch.next_change()
                until = heartbeat if change is None else min(heartbeat, change)
                await listener.wait(clock, until, background=True)


async def stream(request: Request) -> Response:
    """Open a stream on one project."""
    platform, caller = platform_of(request), caller_of(request)
    organisation = permitted(request, caller)
    project = request.path_params["project"]
    if project not in organisation.projects:
        raise not_found(f"Project {project} not found")
    filters = []
    for text in request.query_params.getlist("filter"):
        name, separator, pattern = text.partition("=")
        if not separator:
            raise invalid("Validation failed", [("filter", "must be <id>=<pattern>")])
        filters.append((name, pattern))
    slot = (caller.subject, project)
    if platform.open_streams.get(slot, 0) >= platform.streams_per_user:
        raise conflict("Too many event streams of this user on this project")
    platform.open_streams[slot] = platform.open_streams.get(slot, 0) + 1
    return EventStream(platform, slot, Watch(platform, organisation.key, project, filters))


ROUTES = [Route("/sse/{org}/stream/{project}", stream, methods=["GET"])]
