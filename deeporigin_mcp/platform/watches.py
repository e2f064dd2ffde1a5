"""What a wait knows of the executions that it watches."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from deeporigin_mcp.errors import DeepOriginError
from deeporigin_mcp.platform.wire import Execution, Json

Until = Literal["all", "any", "all or a failure"]
Outline = dict[str, tuple[str, float | None]]
"""Status and percent of each id."""


@dataclass
class Watch:
    """What a wait knows: the latest DTO of each id, and the failure of each id that cannot be read."""

    ids: Sequence[str]
    found: dict[str, Json] = field(default_factory=dict)
    failed: dict[str, DeepOriginError] = field(default_factory=dict)
    hopeless: set[str] = field(default_factory=set)
    waited_seconds: float = 0.0

    @property
    def pending(self) -> list[str]:
        """Ids that are not over, once each, in input order."""
        return [name for name in dict.fromkeys(self.ids) if not self._is_over(name)]

    def is_done(self, until: Until) -> bool:
        open_ids = len(self.pending)
        if until == "any":
            return open_ids < len(dict.fromkeys(self.ids))
        return open_ids == 0 or (until == "all or a failure" and bool(self.hopeless))

    def outline(self) -> Outline:
        """What counts as a change."""
        executions = {name: Execution(dto) for name, dto in self.found.items()}
        return {name: (execution.status, execution.progress_percent) for name, execution in executions.items()}

    def _is_over(self, name: str) -> bool:
        return name in self.hopeless or (name in self.found and Execution(self.found[name]).is_settled)


Report = Callable[[Watch], Awaitable[None]]
