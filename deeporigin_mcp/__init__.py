"""An MCP server, and an async client, for executions on the Deep Origin platform."""

__version__ = "0.1.0"
