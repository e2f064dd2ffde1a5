"""Where a caller's credentials come from: words for whoever has to put them there."""

from __future__ import annotations

from typing import NamedTuple

HOW_TO_AUTHENTICATE = (
    "Set DO_AUTH_TOKEN (a token from the Deep Origin web app) and DO_ORG_KEY (the organisation's key) in the "
    "environment of this MCP server, or sign in with the official client, which keeps them in "
    "~/.deeporigin/api_tokens.json and ~/.deeporigin/config.json. Then restart the server. "
    "`deeporigin-mcp doctor` checks the result."
)


class CredentialPlaces(NamedTuple):
    """Where a caller's credentials come from, in the words of refusals."""

    token: str
    org_key: str
    how_to_give: str
    """What to do when there are none that can be used."""
    how_to_renew: str
    """What to do about an expired token."""
    when_refused: str
    """What to do about a token that the platform does not take (401)."""
    when_forbidden: str
    """What to do about one that it takes, but not for this (403)."""
    other_project: str
    """How to come to another project than the one that is set."""
    own_project: str
    """What to do about a project that is set and does not exist."""


IN_ENVIRONMENT = CredentialPlaces(
    token="DO_AUTH_TOKEN",  # noqa: S106 (where it is, not what it is)
    org_key="DO_ORG_KEY",
    how_to_give=HOW_TO_AUTHENTICATE,
    how_to_renew="Get a new token in the Deep Origin web app, put it in DO_AUTH_TOKEN (or sign in again with the "
    "official client), and restart this MCP server.",
    when_refused="The token was refused. The operator should get a new one (DO_AUTH_TOKEN) and restart this MCP "
    "server.",
    when_forbidden="This token has no right to that, or the organisation in DO_ORG_KEY is not its own. The operator "
    "should check.",
    other_project="for another project the operator has to change DO_PROJECT_ID",
    own_project="The operator should correct DO_PROJECT_ID and restart this MCP server; no argument of a call does.",
)
TOKEN_HEADER, ORG_HEADER, PROJECT_HEADER = "X-Do-Auth-Token", "X-Do-Org-Key", "X-Do-Project-Id"
"""Over HTTP every request carries its caller's own credentials in these (mcp-facts 6)."""
IN_HEADERS = CredentialPlaces(
    token=TOKEN_HEADER,
    org_key=ORG_HEADER,
    how_to_give=f"The user puts the headers {TOKEN_HEADER} (a token from the Deep Origin web app) and {ORG_HEADER} "
    "(the organisation's key) into the client's configuration of this MCP server; every request must carry them.",
    how_to_renew="The user gets a new token in the Deep Origin web app and puts it into the header "
    f"{TOKEN_HEADER} in the client's configuration of this MCP server.",
    when_refused=f"The token was refused. The user should get a new one and put it into the header {TOKEN_HEADER}.",
    when_forbidden=f"This token has no right to that, or the organisation in the header {ORG_HEADER} is not its own. "
    "The user should check.",
    other_project=f"for another project the user has to change the header {PROJECT_HEADER}",
    own_project=f"The user should correct the header {PROJECT_HEADER} in the configuration of this MCP server; "
    "no argument of a call does.",
)
