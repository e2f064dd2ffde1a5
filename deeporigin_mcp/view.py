"""`deeporigin-mcp view`: a run, or two side by side, as one HTML page in the downloads folder, opened in a browser."""

from __future__ import annotations

import sys
import webbrowser
from pathlib import Path

import anyio

from deeporigin_mcp.errors import ArgumentError, DeepOriginError, SettingsError
from deeporigin_mcp.logs import configure_logging, say
from deeporigin_mcp.platform import DeepOriginClient
from deeporigin_mcp.settings import Settings

NO_BROWSER = "No browser could be opened. Open the file yourself."


def view(execution_id: str, other_id: str | None = None, *, folder: str | None, opens: bool) -> int:
    """Write the page and print its path; the exit code: 0, 1 if it could not be written, 2 for settings.

    Args:
        other_id: an execution to compare it with.
        folder: name of a folder below the downloads folder; None: the run's own.
        opens: whether to open it in the user's browser.
    """
    from deeporigin_mcp.tools.responses.errors import explained

    try:
        settings = Settings.load()
        configure_logging(settings.log_level)
    except SettingsError as error:
        sys.stderr.write(f"deeporigin-mcp: {error}\n")
        return 2
    path = anyio.run(_written, settings, execution_id.strip(), other_id and other_id.strip(), folder)
    if not isinstance(path, Path):
        sys.stderr.write(f"deeporigin-mcp: {explained(path)}\n")
        return 1
    say(str(path))
    if opens and not webbrowser.open(path.as_uri()):
        sys.stderr.write(f"deeporigin-mcp: {NO_BROWSER}\n")
    return 0


async def _written(
    settings: Settings, execution_id: str, other_id: str | None, folder: str | None
) -> Path | DeepOriginError:
    """The page; or why there is none, because leaving the state would put an error that is raised into a group."""
    from deeporigin_mcp.tools.files.folders import Folders
    from deeporigin_mcp.tools.files.report import report_of
    from deeporigin_mcp.tools.runtime.executions import existing
    from deeporigin_mcp.tools.runtime.state import open_state

    async with open_state(DeepOriginClient(settings)) as state:
        try:
            execution = await existing(state.client, execution_id)
            other = await existing(state.client, other_id) if other_id else None
            report = report_of(state, Folders(settings.files), execution, folder, other=other)
            await report.result(state, float("inf"))
        except DeepOriginError as error:
            return error
        return report.page or ArgumentError("The page was not written.", code="internal")
