"""What a wait knows of the executions that it watches."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Literal

from deeporigin_mcp.errors import DeepOriginError
from deeporigin_mcp.platform.wire import Execution, Json

Until = Literal["all", "any", "all or a failure"]
Outline = dict[str, tuple[str, float | None]]
"""Status and percent of each id."""


@dataclass
class Watch:
    """What a wait knows, and what it could not see."""

    ids: Sequence[str]
    found: dict[str, Json] = field(default_factory=dict)
    """The latest DTO of each id that was read."""
    seen_at: dict[str, float] = field(default_factory=dict)
    """When that was, in Unix seconds of the platform's clock."""
    failed: dict[str, DeepOriginError] = field(default_factory=dict)
    """Why an id's last poll brought nothing: what is in `found` may be out of date. Gone with the next that does."""
    hopeless: set[str] = field(default_factory=set)
    """Ids that are not polled any more, because it would fail again."""
    waited_seconds: float = 0.0

    @property
    def pending(self) -> list[str]:
        """Ids that are still polled, once each, in input order."""
        return [name for name in dict.fromkeys(self.ids) if not self._is_over(name)]

    @property
    def blind(self) -> list[str]:
        """Ids whose present state is unknown, once each, in input order: over or not, nobody can tell."""
        return [name for name in dict.fromkeys(self.ids) if name in self.failed]

    def is_done(self, until: Until) -> bool:
        open_ids = len(self.pending)
        if until == "any":
            return open_ids < len(dict.fromkeys(self.ids))
        return open_ids == 0 or (until == "all or a failure" and bool(self.hopeless))

    def renew(self, names: Collection[str], later: Watch) -> None:
        """Take what a later watch knows of these ids."""
        for name in names:
            self.failed.pop(name, None)
            self.hopeless.discard(name)
        self.found |= later.found
        self.seen_at |= later.seen_at
        self.failed |= later.failed
        self.hopeless |= later.hopeless

    def outline(self) -> Outline:
        """What counts as a change."""
        executions = {name: Execution(dto) for name, dto in self.found.items()}
        return {name: (execution.status, execution.progress_percent) for name, execution in executions.items()}

    def _is_over(self, name: str) -> bool:
        return name in self.hopeless or (name in self.found and Execution(self.found[name]).is_settled)


Report = Callable[[Watch], Awaitable[None]]
