"""The MCP tools: what an agent can call, and what it gets to read."""
