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
from deeporigin_mcp.extensions.freshness import serve_freshness, stays_fresh
from deeporigin_mcp.extensions.registration import add_template, serve, served
from deeporigin_mcp.extensions.subscriptions import Feed, Stop, Subscriptions
from deeporigin_mcp.extensions.tasks import TasksExtension

__all__ = [
    "Cancelled",
    "DeferredTool",
    "Failed",
    "Feed",
    "Finished",
    "InputRequired",
    "Outcome",
    "RequestContext",
    "Stop",
    "Subscriptions",
    "Task",
    "TasksExtension",
    "Working",
    "add_template",
    "serve",
    "serve_freshness",
    "served",
    "stays_fresh",
]
