"""The platform's event stream: which executions to look at again (platform-facts 1.18).

Frames only say "look again"; none is replayed and some get lost. So nothing here is ever a reason not to look: it
makes waiting prompt, and polling keeps it right.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Sequence

from deeporigin_mcp.errors import DeepOriginError, NetworkError, PlatformError, RateLimitError, StateConflictError
from deeporigin_mcp.platform.scope import Scope
from deeporigin_mcp.platform.timing import Timing
from deeporigin_mcp.platform.transport import Transport, segment

READ_TIMEOUT_SECONDS = 60.0
"""A heartbeat comes every 25 s; a stream that is silent for longer than this is dead."""
STABLE_SECONDS = 30.0
"""A stream that lived this long was a good one: the next failure counts as the first."""
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0
MAX_FRAME_BYTES = 256 * 1024
"""A frame of a hundred executions has 2 KB. One without an end would fill the memory."""


async def follow(
    transport: Transport,
    scope: Scope,
    timing: Timing,
    project_id: str,
    ids: Sequence[str],
    *,
    on_open: Callable[[], None],
    on_dirty: Callable[[list[str]], None],
) -> None:
    """Keep a stream on these executions of one project open until cancelled.

    Returns only if the platform refuses for good (no right, no such project, no such service).

    Args:
        on_open: told after every (re)connection; what happened before it was missed.
        on_dirty: told the ids that changed.
    """
    names = {f"e{number}" if len(ids) > 1 else "execution": name for number, name in enumerate(ids)}
    path = f"/sse/{scope.org_segment}/stream/{segment(project_id, 'project_id')}"
    params = [("filter", f"{filter_id}=execution:{name}") for filter_id, name in names.items()]
    failures = 0
    while True:
        opened = timing.monotonic()
        try:
            async with transport.stream(
                path, what="follow executions", params=params, silence_seconds=READ_TIMEOUT_SECONDS
            ) as content:
                on_open()
                async for filters in dirty_filters(content):
                    if changed := [names[filter_id] for filter_id in filters if filter_id in names]:
                        on_dirty(changed)
        except (NetworkError, PlatformError, RateLimitError, StateConflictError):
            # Too many streams of this user (409), or an interruption: polling goes on meanwhile.
            pass
        except DeepOriginError:
            return
        failures = 1 if timing.monotonic() - opened >= STABLE_SECONDS else failures + 1
        longest = min(FIRST_PAUSE_SECONDS * 2 ** (failures - 1), LONGEST_PAUSE_SECONDS)
        await timing.sleep(longest * (0.5 + 0.5 * timing.chance()))


async def dirty_filters(chunks: AsyncIterator[bytes]) -> AsyncIterator[list[str]]:
    """The filter ids of each complete `filters.dirty` frame; a frame that is cut off or unreadable is left out.

    Raises:
        PlatformError: a frame is longer than `MAX_FRAME_BYTES`.
    """
    data: list[str] = []
    size = 0
    async for line in _lines(chunks):
        size += len(line) + 1
        if size > MAX_FRAME_BYTES:
            raise _endless()
        if line.startswith(b"data:"):
            data.append(line[5:].removeprefix(b" ").decode("utf-8", "replace"))
        elif not line:
            if data and (filters := _dirty("\n".join(data))):
                yield filters
            data, size = [], 0


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Complete lines only: what a broken connection leaves half is not one."""
    rest = bytearray()
    async for chunk in chunks:
        first, *others = chunk.split(b"\n")
        rest += first
        for other in others:
            yield bytes(rest).removesuffix(b"\r")
            rest[:] = other
        if len(rest) > MAX_FRAME_BYTES:
            raise _endless()


def _endless() -> PlatformError:
    return PlatformError(f"The platform's event stream sent a frame of more than {MAX_FRAME_BYTES // 1024} KiB.")


def _dirty(text: str) -> list[str]:
    try:
        frame = json.loads(text)
    except (ValueError, RecursionError):
        return []
    if not isinstance(frame, dict) or frame.get("type") != "filters.dirty":
        return []
    filters = frame.get("filters")
    return [name for name in filters if isinstance(name, str)] if isinstance(filters, list) else []
