"""The command-line agents that run without a person: pinned npm packages, installed once into `.conformance/`."""

from __future__ import annotations

from tests.support.node import node, npm_package

PACKAGES = {
    "claude-code": ("@anthropic-ai/claude-code", "2.1.332", "cli-wrapper.cjs"),
    "codex": ("@openai/codex", "0.171.0", "bin/codex.js"),
    "gemini-cli": ("@google/gemini-cli", "0.61.0", "bundle/gemini.js"),
}
"""By the client's name for `install`: the package, its version, and the file that starts it."""


def agent(client: str) -> list[str]:
    """The command that starts a client.

    Raises:
        CannotRunError: it could not be installed; with what npm said.
    """
    name, version, file = PACKAGES[client]
    return [node(), str(npm_package(name, version).joinpath(*file.split("/")))]
