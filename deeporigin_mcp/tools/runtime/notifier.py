"""Tells a command or a webhook of the user's, once, that a run is over which this server started (design 7).

It runs beside all calls and ends with the server: what it has not told by then, the next server with the same setting
takes up (`approvals/notices.py`). A failure of it is a line in the log and nothing else.
"""

from __future__ import annotations

import contextlib
import json
import logging
import subprocess

import anyio
import anyio.abc

from deeporigin_mcp.errors import CredentialError, DeepOriginError, SpendingLimitError
from deeporigin_mcp.platform import DeepOriginClient, Execution
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.platform.waiting.followers import Followers
from deeporigin_mcp.settings import Notify, environment_for_others
from deeporigin_mcp.tools.approvals.notices import PAUSES_SECONDS, Notices
from deeporigin_mcp.tools.responses.views import NAME_CHARACTERS

logger = logging.getLogger("deeporigin_mcp.notify")

TAKE_UP_SECONDS = 300.0
ATTEMPT_SECONDS = 30.0
"""How long a command may run, or a webhook may take to respond."""


class Notifier:
    """Follows runs and tells of their ends.

    Args:
        client: `settings.notify` says who is told.
        tasks: where it runs.
    """

    def __init__(
        self, client: DeepOriginClient, followers: Followers, notices: Notices, tasks: anyio.abc.TaskGroup
    ) -> None:
        self._client = client
        self._followers = followers
        self._notices = notices
        self._tasks = tasks
        self._followed: set[str] = set()

    @property
    def is_following(self) -> bool:
        return bool(self._followed)

    def follow(self, execution_id: str) -> None:
        """Tell of this run's end, which is in the ledger's notices; returns at once."""
        if execution_id not in self._followed:
            self._followed.add(execution_id)
            self._tasks.start_soon(self._follow, execution_id)

    async def run(self) -> None:
        """Take up, now and every `TAKE_UP_SECONDS`, the runs that servers have left which ended."""
        while True:
            with contextlib.suppress(SpendingLimitError, CredentialError):
                # Who cannot read them must not keep others from it.
                self._client.settings.require_token(self._client.timing.wall())
                for name in await self._notices.take_up(self._client.timing.wall()):
                    self.follow(name)
            await self._client.timing.background_sleep(TAKE_UP_SECONDS)

    async def release(self) -> None:
        """Let others follow what was followed here."""
        with anyio.CancelScope(shield=True), contextlib.suppress(SpendingLimitError):
            await self._notices.release([*self._followed])

    async def _follow(self, name: str) -> None:
        try:
            execution = await self._at_its_end(name)
            if execution is None:
                await self._notices.release([name])
            else:
                await self._tell(name, execution)
        except SpendingLimitError:
            logger.warning("Nobody was told of the end of %s: the ledger cannot be written.", name)
        except Exception as error:  # noqa: BLE001 (a bug here must not end the server)
            logger.error("Telling of the end of %s failed: %s", name, type(error).__name__)  # noqa: TRY400
        self._followed.discard(name)

    async def _at_its_end(self, name: str) -> Execution | None:
        """The execution when it is over; None if it cannot be read any more."""
        over = anyio.Event()

        def look() -> None:
            if self._followers.is_over(name):
                over.set()

        stop = self._followers.follow(name, look)
        try:
            await over.wait()
        finally:
            stop()
        problem = "it is not over, and is not readable"
        for pause in (*PAUSES_SECONDS, None):
            try:
                execution = Execution(await self._client.executions.get(name))
            except DeepOriginError as error:
                problem = error.code
            else:
                if execution.is_terminal:
                    return execution
            if pause is None:
                break
            await self._client.timing.sleep(pause)
        logger.warning("Nobody is told of the end of %s by this process: %s.", name, problem)
        return None

    async def _tell(self, name: str, execution: Execution) -> None:
        notify = self._client.settings.notify
        if notify is None:
            return
        body = notice(execution, self._client.settings.org_key)
        for pause in (*PAUSES_SECONDS, None):
            if not await self._notices.begin(name, self._client.timing.wall()):
                return
            problem = await self._attempt(notify, body)
            if problem is None:
                await self._notices.settle(name, "told")
                logger.info("%s was told that %s is over.", notify.kind, name)
                return
            again = "not tried again" if pause is None else f"tried again in {pause:g} s"
            logger.warning("%s was not told that %s is over: %s; %s.", notify.kind, name, problem, again)
            if pause is not None:
                await self._client.timing.sleep(pause)
        await self._notices.settle(name, "failed")

    async def _attempt(self, notify: Notify, body: bytes) -> str | None:
        """Tell once; what went wrong, without secrets."""
        try:
            with anyio.fail_after(ATTEMPT_SECONDS):
                if notify.url:
                    await self._client.post_elsewhere(notify.url, body)
                    return None
                return await _run(notify.command, body)
        except TimeoutError:
            return f"it took more than {ATTEMPT_SECONDS:g} s"
        except DeepOriginError as error:
            return f"HTTP {error.http_status}" if error.http_status else error.code
        except OSError as error:
            return f"it cannot be started ({type(error).__name__})"


def notice(execution: Execution, organization: str) -> bytes:
    """What is told of a run, as JSON in ASCII: nothing of its inputs."""
    # What is held for a cancelled run, or was given back, is not known to be its cost.
    cost = execution.cost if execution.cost_state in ("", "charged") else None
    facts = {
        "execution_id": execution.execution_id,
        "status": execution.status,
        "name": one_line(execution.name, NAME_CHARACTERS) or None,
        "cost": None if cost is None else float(cost),
        "organization": organization,
    }
    return json.dumps(facts).encode() + b"\n"


async def _run(command: tuple[str, ...], body: bytes) -> str | None:
    """Run a command with this on its standard input. What it prints goes nowhere: our output is the protocol's."""
    async with await anyio.open_process(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment_for_others(),
        start_new_session=True,
    ) as process:
        assert process.stdin is not None  # noqa: S101
        # It need not read it.
        with contextlib.suppress(anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
            await process.stdin.send(body)
        with contextlib.suppress(OSError):
            await process.stdin.aclose()
        code = await process.wait()
    return None if code == 0 else f"exit code {code}"
