"""Protocol extensions that the SDK does not carry; they know nothing of Deep Origin."""

from deeporigin_mcp.extensions.deferral import (
    Cancelled,
    DeferredTool,
    Failed,
    Finished,
    InputRequired,
    Outcome,
    RequestContext,
    Task,
    Working,
)
from deeporigin_mcp.extensions.tasks import TasksExtension

__all__ = [
    "Cancelled",
    "DeferredTool",
    "Failed",
    "Finished",
    "InputRequired",
    "Outcome",
    "RequestContext",
    "Task",
    "TasksExtension",
    "Working",
]
