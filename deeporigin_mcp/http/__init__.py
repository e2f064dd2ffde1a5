"""The server over Streamable HTTP, for many callers at once: `create_app` for any ASGI server, `serve` with uvicorn."""

from deeporigin_mcp.http.app import create_app
from deeporigin_mcp.http.serving import serve

__all__ = ["create_app", "serve"]
