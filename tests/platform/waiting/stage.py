"""A platform of scripted executions for the wait engine."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import anyio

from deeporigin_mcp.errors import InvalidRequestError
from tests.support.fake_time import START, FakeTime
from tests.support.recording import execution

Steps = dict[str, list[Any]]


class Stage:
    """A platform for the engine: each poll takes the id's next step; errors are raised. The last step stays."""

    def __init__(self, time: FakeTime, **steps: list[Any]) -> None:
        self.time = time
        self.steps: Steps = steps
        self.asked: list[tuple[float, str]] = []
        self.actives: list[Any] = [InvalidRequestError("no such filter")]
        self.listed = 0
        self.followed: list[tuple[str, list[str]]] = []
        self.following = 0
        self.events: Callable[[Callable[[], None], Callable[[list[str]], None]], None] = lambda *_: None

    def now(self) -> float:
        return START + self.time.now

    async def poll(self, execution_id: str) -> dict[str, Any]:
        self.asked.append((self.time.now, execution_id))
        await anyio.lowlevel.checkpoint()
        steps = self.steps[execution_id]
        step = steps.pop(0) if len(steps) > 1 else steps[0]
        if isinstance(step, Exception):
            raise step
        return step if isinstance(step, dict) else execution(step, execution_id, projectId="p-1")

    async def active(self, oldest: datetime | None) -> dict[str, dict[str, Any]]:
        self.listed += 1
        step = self.actives.pop(0) if len(self.actives) > 1 else self.actives[0]
        if isinstance(step, Exception):
            raise step
        return {name: execution("Running", name, projectId="p-1") for name in step}

    async def follow(
        self, project_id: str, ids: Sequence[str], on_open: Callable[[], None], on_dirty: Callable[[list[str]], None]
    ) -> None:
        self.followed.append((project_id, [*ids]))
        self.following += 1
        try:
            self.events(on_open, on_dirty)
            await anyio.sleep_forever()
        finally:
            self.following -= 1
