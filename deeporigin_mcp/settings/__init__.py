"""Credentials, the platform's address, and limits.

The variables, files and their precedence are those of the official client (platform-facts 3), so that its
user has nothing new to configure. Only `reading.py` reads the environment and `~/.deeporigin`.
"""

from deeporigin_mcp.settings.addresses import (
    BASE_URLS,
    HOST,
    ISSUER_DOMAIN,
    ORIGIN,
    Environment,
    environment_of_issuer,
)
from deeporigin_mcp.settings.model import IGNORED, Settings, Usd
from deeporigin_mcp.settings.notify import Notify
from deeporigin_mcp.settings.official import LOCAL_ORG_KEY
from deeporigin_mcp.settings.own import SHORTEST_STATE_KEY_BYTES, WAYS
from deeporigin_mcp.settings.reading import (
    environment_for_others,
    question_directories,
    shows_windows,
    state_directory,
)
from deeporigin_mcp.settings.tokens import LOCAL_TOKEN_SECONDS, TokenClaims, local_token

__all__ = [
    "BASE_URLS",
    "HOST",
    "IGNORED",
    "ISSUER_DOMAIN",
    "LOCAL_ORG_KEY",
    "LOCAL_TOKEN_SECONDS",
    "ORIGIN",
    "SHORTEST_STATE_KEY_BYTES",
    "WAYS",
    "Environment",
    "Notify",
    "Settings",
    "TokenClaims",
    "Usd",
    "environment_for_others",
    "environment_of_issuer",
    "local_token",
    "question_directories",
    "shows_windows",
    "state_directory",
]
