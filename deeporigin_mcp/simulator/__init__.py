"""A Deep Origin platform in one process: for tests, demonstrations and development without an account.

    from deeporigin_mcp.simulator import Platform, ManualClock, make_token, running_simulator

    with running_simulator(Platform(clock=ManualClock(auto_advance=True))) as simulator:
        ...  # talk HTTP to simulator.base_url with make_token()

It shares no code with the client in this package, so that one mistake cannot hide the other.
"""

from deeporigin_mcp.simulator.model.clock import Clock, ManualClock, ScaledClock
from deeporigin_mcp.simulator.runner import (
    DEFAULT_HOST,
    DEFAULT_PORT,
    RunningSimulator,
    running_simulator,
    serve,
)
from deeporigin_mcp.simulator.services.app import create_app
from deeporigin_mcp.simulator.services.tokens import make_token
from deeporigin_mcp.simulator.state.execution import Execution
from deeporigin_mcp.simulator.state.faults import FaultRule, parse_fault
from deeporigin_mcp.simulator.state.platform import Platform

__all__ = [
    "DEFAULT_HOST",
    "DEFAULT_PORT",
    "Clock",
    "Execution",
    "FaultRule",
    "ManualClock",
    "Platform",
    "RunningSimulator",
    "ScaledClock",
    "create_app",
    "make_token",
    "parse_fault",
    "running_simulator",
    "serve",
]
