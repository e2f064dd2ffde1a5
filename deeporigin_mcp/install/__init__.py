"""Writes this server into the configuration of MCP clients, and removes it again."""
