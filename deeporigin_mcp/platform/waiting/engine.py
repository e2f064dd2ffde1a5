"""The wait engine: polls executions until they are over. The one engine behind every wait (design 7).

It polls all executions at once, then on each event of the platform's stream, on a timer whose pause grows to the
interval, and a last time at the deadline. The stream makes it prompt; the timer keeps it correct, because a stream may
be refused, silent or lossy. A poll by the timer lists the active executions with one request and reads only the others
one by one. An execution that is over is never polled again. A transient failure neither ends the wait nor hides the
other executions; a permanent one is that execution's result. A 429 pauses all polls. A failed poll stays on record
until the execution is read again, so that its last known state is never taken for the present one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

import anyio
import anyio.abc

from deeporigin_mcp.errors import (
    ArgumentError,
    CredentialError,
    DeepOriginError,
    NetworkError,
    PlatformError,
    RateLimitError,
    WaitTimeoutError,
)
from deeporigin_mcp.platform.records.execution import Execution, under_way
from deeporigin_mcp.platform.records.values import Json, moment
from deeporigin_mcp.platform.transport.timing import Timing

EVENT_BURST_PER_ID = 15
LARGEST_EVENT_BURST = 60
EVENT_SHARE = 0.02
"""Events cause a poll at once up to a burst; after that at this share of the rate of polling each execution once per
interval. Most events are about a little progress only."""
RATE_LIMIT_SECONDS = 2.0
LONGEST_RATE_LIMIT_SECONDS = 60.0
MAX_CONCURRENT_POLLS = 20
LIST_ACTIVE_FROM = 3
"""From so many executions on, a poll begins with one request for all active ones."""
FIRST_PAUSE_SECONDS = 1.0
PAUSE_GROWTH = 1.5
FIRST_POLL_SECONDS = 10.0
"""The first poll may take this long even if the timeout is shorter: a wait of 0 s polls once."""
LAST_POLL_SECONDS = 2.0
"""How long a poll may run on after the deadline, and how long the one at the deadline may take."""
MAX_REFUSALS = 3
"""An execution that was read before is given up after so many refusals (400, 401, 403, 404) in a row."""
SHORTEST_STREAM_SECONDS = 2.0
"""With less time left than this, a wait opens no event stream."""
MAX_STREAMS = 4
HEARTBEAT_SECONDS = 9.0
"""Progress is reported at least this often; clients expect it within 10 s (mcp-facts 2)."""
BETWEEN_REPORTS_SECONDS = 1.0
"""A change of percent alone is not reported more often than this; a change of status is reported at once."""

Until = Literal["all", "any", "all or a failure"]
Outline = dict[str, tuple[str, float | None]]
"""Status and percent of each id."""


@dataclass
class WaitState:
    """What a wait has read of each execution, and what it could not read."""

    ids: Sequence[str]
    found: dict[str, Json] = field(default_factory=dict)
    """The latest DTO of each id that was read; of one that is not settled only `under_way`, as thousands may wait."""
    seen_at: dict[str, float] = field(default_factory=dict)
    """When that was, in Unix seconds by the platform's clock."""
    failed: dict[str, DeepOriginError] = field(default_factory=dict)
    """Why an id's last poll failed: `found` may be out of date. Removed by the next poll that succeeds."""
    given_up: set[str] = field(default_factory=set)
    """Ids that are not polled any more, because their failure is permanent."""
    waited_seconds: float = 0.0

    @property
    def pending(self) -> list[str]:
        """Ids that are still polled, once each, in input order."""
        return [name for name in dict.fromkeys(self.ids) if not self._is_over(name)]

    @property
    def unknown(self) -> list[str]:
        """Ids whose present state is unknown, once each, in input order."""
        return [name for name in dict.fromkeys(self.ids) if name in self.failed]

    def give_up_reading(self, names: Collection[str], error: DeepOriginError | None = None) -> None:
        """Put on record that these were not read in time, or why not."""
        for name in names:
            self.failed[name] = error or NetworkError(
                "Timed out waiting for the platform's response.", code="response_timeout"
            )

    def is_done(self, until: Until) -> bool:
        open_ids = len(self.pending)
        if until == "any":
            return open_ids < len(dict.fromkeys(self.ids))
        return open_ids == 0 or (until == "all or a failure" and bool(self.given_up))

    def renew(self, names: Collection[str], later: WaitState) -> None:
        """Take over what a later wait knows of these ids."""
        for name in names:
            self.failed.pop(name, None)
            self.given_up.discard(name)
        self.found |= later.found
        self.seen_at |= later.seen_at
        self.failed |= later.failed
        self.given_up |= later.given_up

    def outline(self) -> Outline:
        """Id → status and percent; a difference is what counts as a change."""
        executions = {name: Execution(dto) for name, dto in self.found.items()}
        return {name: (execution.status, execution.progress_percent) for name, execution in executions.items()}

    def _is_over(self, name: str) -> bool:
        return name in self.given_up or (name in self.found and Execution(self.found[name]).is_settled)


Report = Callable[[WaitState], Awaitable[None]]


class TokenBucket:
    """Limits the polls that events cause: a burst, refilled at `EVENT_SHARE` of the polling rate."""

    def __init__(self, executions: int, interval_seconds: float, now: float) -> None:
        """`now` and all instants are seconds of the monotonic clock."""
        self._burst = float(min(EVENT_BURST_PER_ID * executions, LARGEST_EVENT_BURST))
        self._refill_per_second = EVENT_SHARE * executions / interval_seconds
        self._tokens = self._burst
        self._counted_at = now

    def next_poll_at(self, now: float) -> float:
        """The earliest instant of the next poll by an event; -inf if it may be now."""
        gained = (now - self._counted_at) * self._refill_per_second
        self._tokens, self._counted_at = min(self._tokens + gained, self._burst), now
        if self._tokens > 0.999:
            return float("-inf")
        return now + (1.0 - self._tokens) / self._refill_per_second

    def spend(self, polls: int) -> None:
        self._tokens -= polls


class RateLimitBackoff:
    """The pause after a 429: that of `Retry-After`, or one that doubles until a request succeeds."""

    def __init__(self, timing: Timing) -> None:
        self._timing = timing
        self._rate_limits = 0
        self.until = float("-inf")
        """No poll before this instant of the monotonic clock."""

    def begin(self, error: RateLimitError) -> None:
        self._rate_limits += 1
        own = min(RATE_LIMIT_SECONDS * 2 ** (self._rate_limits - 1), LONGEST_RATE_LIMIT_SECONDS)
        pause = own if error.retry_after_seconds is None else error.retry_after_seconds
        spread = pause + 0.2 * pause * self._timing.chance()
        self.until = max(self.until, self._timing.monotonic() + spread)

    def reset(self) -> None:
        """Start the next pause small again."""
        self._rate_limits = 0


class Source(Protocol):
    """What the engine needs of the platform; `Observer` is the real one."""

    def now(self) -> float:
        """Unix seconds by the platform's clock."""

    async def poll(self, execution_id: str) -> Json: ...

    async def active(self, oldest: datetime | None) -> dict[str, Json]: ...

    async def follow(
        self, project_id: str, ids: Sequence[str], on_open: Callable[[], None], on_dirty: Callable[[list[str]], None]
    ) -> None: ...


async def watch(
    source: Source,
    ids: Sequence[str],
    *,
    until: Until = "all",
    poll_interval_seconds: float,
    first_pause_seconds: float = FIRST_PAUSE_SECONDS,
    timeout_seconds: float | None,
    timing: Timing,
    report: Report | None = None,
    known: Collection[str] = (),
    seen: Mapping[str, Json] | None = None,
) -> WaitState:
    """Poll until `until` holds or the timeout, at least once. Never raises for a failure of the platform.

    Args:
        poll_interval_seconds: the longest pause between two polls of an execution.
        timeout_seconds: None means no timeout.
        known: ids that were read before, whose refusals may pass (see `MAX_REFUSALS`).
        seen: the DTOs of all ids, if they were read just now: then the first poll comes after the first pause.
        report: called after each poll that changed something (see `BETWEEN_REPORTS_SECONDS`), and every
            `HEARTBEAT_SECONDS`. Its exceptions end the wait.
    """
    wait = _Wait(source, ids, until, poll_interval_seconds, timeout_seconds, timing, report, known, seen or {})
    try:
        await wait.run(first_pause_seconds)
    except ExceptionGroup as group:
        # An exception of `report`, such as a client that has disconnected, wrapped by nested task groups.
        error: Exception = group
        while isinstance(error, ExceptionGroup):
            error = error.exceptions[0]
        raise error from None
    return wait.state


class _Wait:
    """One wait in progress."""

    def __init__(
        self,
        source: Source,
        ids: Sequence[str],
        until: Until,
        poll_interval_seconds: float,
        timeout_seconds: float | None,
        timing: Timing,
        report: Report | None,
        known: Collection[str],
        seen: Mapping[str, Json],
    ) -> None:
        self.state = WaitState(ids=ids, found={**seen}, seen_at=dict.fromkeys(seen, source.now()))
        self._source = source
        self._until: Until = until
        self._interval = poll_interval_seconds
        self._timing = timing
        self._report = report
        self._known = known
        self._started = timing.monotonic()
        self._deadline = float("inf") if timeout_seconds is None else self._started + timeout_seconds
        self._dirty: set[str] = set()
        self._nap = anyio.CancelScope()
        """The present sleep, which an event ends."""
        ids_once = max(1, len(self.state.pending))
        self._bucket = TokenBucket(ids_once, poll_interval_seconds, self._started)
        self._backoff = RateLimitBackoff(timing)
        self._lists_active = True
        self._refusals: Counter[str] = Counter()
        self._polled: set[str] = set()
        """Ids that the present poll has read or failed to read."""
        self._shared_failure: DeepOriginError | None = None
        """The failure that affects all of them, if there is one."""
        self._reported_at = float("-inf")

    async def run(self, first_pause_seconds: float) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._send_heartbeats)
            if not self.state.found:
                await self._poll_and_report(self.state.pending, FIRST_POLL_SECONDS)
            if not self._is_over():
                self._open_streams(tasks)
                await self._poll_until_over(first_pause_seconds)
            tasks.cancel_scope.cancel()

    async def _poll_until_over(self, first_pause_seconds: float) -> None:
        pause = min(first_pause_seconds, self._interval)
        next_poll = self._after(pause)
        while True:
            await self._sleep_until(max(min(next_poll, self._event_due()), self._backoff.until))
            now = self._timing.monotonic()
            if self._left() <= 0:
                await self._poll_and_report(self.state.pending, 0.0)
                return
            if now < self._backoff.until:
                continue
            chosen = self.state.pending
            if now >= next_poll:
                pause = min(pause * PAUSE_GROWTH, self._interval)
                next_poll = self._after(pause)
            elif now >= self._event_due():
                chosen = [name for name in chosen if name in self._dirty]
                self._bucket.spend(min(len(chosen), LIST_ACTIVE_FROM))
            else:
                continue
            self._dirty.clear()
            await self._poll_and_report(chosen, 0.0)
            if self._is_over():
                return

    def _after(self, pause: float) -> float:
        """The next poll: never later than the pause, with jitter."""
        return self._timing.monotonic() + pause * (0.8 + 0.2 * self._timing.chance())

    def _left(self) -> float:
        self.state.waited_seconds = self._timing.monotonic() - self._started
        return self._deadline - self._timing.monotonic()

    def _is_over(self) -> bool:
        return self._left() <= 0 or self.state.is_done(self._until)

    async def _sleep_until(self, instant: float) -> None:
        """Sleep until the instant, an event or the deadline."""
        seconds = min(instant - self._timing.monotonic(), self._left())
        if seconds <= 0:
            # A series of events must not starve other tasks.
            await anyio.lowlevel.checkpoint()
            return
        with anyio.CancelScope() as self._nap:
            await self._timing.sleep(seconds)

    # Polling

    async def _poll_and_report(self, names: Sequence[str], at_least_seconds: float) -> None:
        before = self.state.outline()
        self._polled.clear()
        with anyio.move_on_after(max(self._left() + LAST_POLL_SECONDS, at_least_seconds)):
            await self._poll_all(names)
        self.state.give_up_reading(set(names) - self._polled, self._shared_failure)
        self._left()
        after = self.state.outline()
        moved = any(before.get(name, ("",))[0] != after.get(name, ("",))[0] for name in names)
        quiet = self._timing.monotonic() - self._reported_at
        if moved or (after != before and quiet >= BETWEEN_REPORTS_SECONDS):
            await self._send_report()

    async def _poll_all(self, names: Sequence[str]) -> None:
        """Read the state of these ids with as few requests as possible."""
        if self._timing.monotonic() < self._backoff.until:
            return
        open_names = [*names]
        limiter = anyio.CapacityLimiter(MAX_CONCURRENT_POLLS)

        async def poll(name: str) -> bool:
            async with limiter:
                if self._timing.monotonic() < self._backoff.until:
                    return False
                try:
                    self._saw(name, await self._source.poll(name))
                except DeepOriginError as error:
                    self._missed(name, error)
                    return False
                return True

        if len(open_names) >= LIST_ACTIVE_FROM and self._lists_active:
            active = await self._active(self._oldest(open_names))
            if active is None:
                # Has the platform failed, or only its list? Polling one execution shows it.
                if not await poll(open_names.pop(0)):
                    return
                self._lists_active, active = False, {}
            for name in open_names:
                if name in active and not Execution(active[name]).is_settled:
                    self._saw(name, active[name])
            open_names = [name for name in open_names if name not in active or Execution(active[name]).is_settled]
        async with anyio.create_task_group() as tasks:
            for name in open_names:
                tasks.start_soon(poll, name)

    def _oldest(self, names: Sequence[str]) -> datetime | None:
        """When the oldest of these was created; None unless known for all."""
        created = [moment(self.state.found.get(name, {}).get("createdAt")) for name in names]
        known = [instant for instant in created if instant is not None]
        return min(known) if known and len(known) == len(created) else None

    async def _active(self, oldest: datetime | None) -> dict[str, Json] | None:
        """The active executions by id; None if the platform fails now."""
        try:
            return await self._source.active(oldest)
        except RateLimitError as error:
            self._shared_failure = error
            self._backoff.begin(error)
            return None
        except (NetworkError, PlatformError) as error:
            self._shared_failure = error
            return None
        except DeepOriginError:
            # The platform rejects this filter: poll one by one for the rest of this wait.
            self._lists_active = False
            return {}

    def _saw(self, name: str, dto: Json) -> None:
        self._polled.add(name)
        self._shared_failure = None
        self.state.found[name] = dto if Execution(dto).is_settled else under_way(dto)
        self.state.seen_at[name] = self._source.now()
        self.state.failed.pop(name, None)
        # It was on its way when another failure gave up all of them.
        self.state.given_up.discard(name)
        del self._refusals[name]
        self._backoff.reset()

    def _missed(self, name: str, error: DeepOriginError) -> None:
        self._polled.add(name)
        self.state.failed[name] = error
        is_offline = isinstance(error, CredentialError) and error.http_status is None
        if is_offline or (isinstance(error, NetworkError) and error.is_lasting):
            # The token is missing or expired, or the network is misconfigured: no id can be read any more.
            for other in self.state.pending:
                self._polled.add(other)
                self.state.failed[other] = error
                self.state.given_up.add(other)
        elif isinstance(error, NetworkError | PlatformError | RateLimitError):
            self._shared_failure = error
            if isinstance(error, RateLimitError):
                self._backoff.begin(error)
        else:
            self._refusals[name] += 1
            was_there = name in self.state.found or name in self._known
            if not was_there or self._refusals[name] >= MAX_REFUSALS:
                self.state.given_up.add(name)

    # Events

    def _open_streams(self, tasks: anyio.abc.TaskGroup) -> None:
        """Follow the pending ids, one stream for each project."""
        if self._left() < SHORTEST_STREAM_SECONDS:
            return
        by_project: dict[str, list[str]] = {}
        for name in self.state.pending:
            if project := Execution(self.state.found.get(name, {})).project_id:
                by_project.setdefault(project, []).append(name)
        for project, names in [*by_project.items()][:MAX_STREAMS]:
            tasks.start_soon(self._follow, project, names)

    async def _follow(self, project: str, names: list[str]) -> None:
        opened = False

        def on_open() -> None:
            nonlocal opened
            if opened:
                # Events while the stream was down are lost.
                self._wake(names)
            opened = True

        await self._source.follow(project, names, on_open, self._wake)

    def _wake(self, names: Sequence[str]) -> None:
        self._dirty.update(set(names).intersection(self.state.pending))
        self._nap.cancel()

    def _event_due(self) -> float:
        """When the ids named by events may be polled: -inf for now, an instant, or inf if there are none."""
        if not self._dirty:
            return float("inf")
        return self._bucket.next_poll_at(self._timing.monotonic())

    async def _send_heartbeats(self) -> None:
        while self._report is not None:
            await self._timing.background_sleep(HEARTBEAT_SECONDS)
            self._left()
            await self._send_report()

    async def _send_report(self) -> None:
        self._reported_at = self._timing.monotonic()
        if self._report is not None:
            await self._report(self.state)


async def wait_for_all(
    source: Source,
    ids: Sequence[str],
    *,
    poll_interval_seconds: float,
    timeout_seconds: float | None,
    timing: Timing,
) -> list[Json]:
    """Wait for all ids and return their DTOs in input order; what `client.executions.wait` returns.

    Raises:
        ArgumentError: no ids, an empty id, or an interval that is not positive.
        WaitTimeoutError: some were not over at the deadline, when they were polled for the last time.
        DeepOriginError: an id that cannot be read (any more).
    """
    if not ids:
        raise ArgumentError("executions is empty.", next_step="Give at least one execution id.")
    if not all(name.strip() for name in ids):
        raise ArgumentError("executions holds an empty id.", next_step="Give ids as earlier calls returned them.")
    if not 0 < poll_interval_seconds < float("inf"):
        raise ArgumentError(f"Invalid poll_interval {poll_interval_seconds}. Valid: seconds, more than 0.")
    if timeout_seconds is not None and timeout_seconds != timeout_seconds:
        raise ArgumentError("Invalid timeout nan. Valid: seconds, or None.")
    state = await watch(
        source,
        ids,
        until="all or a failure",
        poll_interval_seconds=poll_interval_seconds,
        first_pause_seconds=poll_interval_seconds,
        timeout_seconds=timeout_seconds,
        timing=timing,
    )
    for name in ids:
        if name in state.given_up:
            raise state.failed[name]
    if state.pending:
        message = f"Timed out after {state.waited_seconds:.0f} s. Not over: {', '.join(state.pending)}."
        if state.unknown:
            message += f" Unreadable at the end: {', '.join(state.unknown)}. {state.failed[state.unknown[0]]}"
        raise WaitTimeoutError(message, next_step="They continue on the platform. Wait again.")
    return [state.found[name] for name in ids]
