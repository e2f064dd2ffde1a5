"""The one frozen `Settings`: who calls, where to, and with which limits."""

from __future__ import annotations

import time
import uuid
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from deeporigin_mcp.errors import CredentialError, SettingsError
from deeporigin_mcp.settings.addresses import BASE_URLS, host_of
from deeporigin_mcp.settings.official import official_settings, operators_url
from deeporigin_mcp.settings.own import own_settings
from deeporigin_mcp.settings.places import HOW_TO_AUTHENTICATE, IN_ENVIRONMENT, IN_HEADERS, CredentialPlaces
from deeporigin_mcp.settings.reading import read_official, read_own
from deeporigin_mcp.settings.tokens import TokenClaims

IGNORED = "ignored"
"""In `Settings.sources`: set, and nobody's over HTTP."""

Usd = Annotated[Decimal, Field(ge=0, allow_inf_nan=False)]


class Settings(BaseModel):
    """Everything that is decided before the first request. Immutable; holds no open resource.

    Build it by `Settings.load()` for the official variables and files, or by its fields.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    token: SecretStr | None = None
    org_key: str = ""
    project_id: str = ""
    base_url: str = BASE_URLS["prod"]
    session: str = Field(default_factory=lambda: str(uuid.uuid4()))
    """Stamped on everything this deployment creates; stable if DEEPORIGIN_MCP_SESSION is set."""
    sources: Mapping[str, str] = {}
    """Where each value came from, for `doctor`: setting → variable or file name."""
    places: CredentialPlaces = IN_ENVIRONMENT
    problem: str = ""
    problem_fix: str = ""
    """Why there are no usable credentials although something is configured; told at the first call."""

    auto_approve_up_to: Usd = Decimal(0)
    """USD; a quote up to here starts without a person (design 4, rule 1)."""
    max_price: Usd | None = None
    """USD; nothing above it starts, whoever says yes."""
    budget: Usd | None = None
    """USD; the most that one `session` may start in sum in an organisation, whoever made the quotes."""
    read_only: bool = False
    toolsets: tuple[str, ...] = ()
    """The groups of MCP tools to offer; empty for all."""
    allowed_tool_keys: tuple[str, ...] = ()
    """Patterns of the platform tools that may be run, such as `deeporigin.mol-props-*`; empty for all."""
    audit_log: Path | None = None
    """File that gets a JSON line for each decision about money."""
    ledger: Path | None = None
    """File of the ledger of approvals; None for beside the audit log, or else in the user's state directory."""
    state_keys: tuple[SecretStr, ...] = ()
    """Keys that seal a question's state, shared by all workers; the first one seals, all open."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "WARNING"
    allowed_hosts: tuple[str, ...] = ()
    """Over HTTP: the names, with or without a port, under which this server may be called."""
    allowed_origins: tuple[str, ...] = ()
    """Over HTTP: the web pages that may call it, such as `https://chat.example.org`."""

    @property
    def environment(self) -> str:
        """`prod`, `staging`, `dev`, `local`, or the host of a base URL that is none of these."""
        for name, url in BASE_URLS.items():
            if url == self.base_url:
                return name
        host = host_of(self.base_url)
        return "local" if host in ("127.0.0.1", "localhost", "::1") else host

    def allows_tool(self, tool_key: str) -> bool:
        """Whether the operator lets this platform tool run."""
        key = tool_key.casefold()
        return not self.allowed_tool_keys or any(fnmatchcase(key, rule.casefold()) for rule in self.allowed_tool_keys)

    def rules_without_tool(self, tool_keys: Collection[str]) -> list[str]:
        """The patterns of `allowed_tool_keys` that match none of the platform's tools."""
        return [
            rule
            for rule in self.allowed_tool_keys
            if not any(fnmatchcase(key.casefold(), rule.casefold()) for key in tool_keys)
        ]

    def require_token(self, now: float | None = None) -> SecretStr:
        """The token, if it can be used at `now` (Unix seconds).

        Raises:
            CredentialError: no token, no organisation, not a JWT, or expired; says where to put what.
        """
        if self.problem:
            raise CredentialError(self.problem, next_step=self.problem_fix or self.places.how_to_give)
        missing = [
            name
            for name, value in (
                (f"token ({self.places.token})", self.token),
                (f"organisation ({self.places.org_key})", self.org_key),
            )
            if not value
        ]
        if self.token is None or missing:
            raise CredentialError(
                f"Not signed in to Deep Origin: there is no {' and no '.join(missing)}.",
                next_step=self.places.how_to_give,
            )
        try:
            expires_at = TokenClaims.read(self.token).expires_at
        except CredentialError as error:
            raise CredentialError(str(error), next_step=self.places.how_to_give) from None
        if (time.time() if now is None else now) > expires_at:
            when = _utc(expires_at) if expires_at else "at once: it names no expiry"
            raise CredentialError(
                f"The Deep Origin token expired {when}.",
                next_step=self.places.how_to_renew,
            )
        return self.token

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None, home: Path | None = None) -> Settings:
        """Read the official variables and files, and this server's own DEEPORIGIN_MCP_* variables.

        Missing or unusable credentials are no error here: the server must be able to start and list its tools.

        Raises:
            SettingsError: a DEEPORIGIN_MCP_* variable has a value that cannot be used. Limits on money must
                never silently become zero or infinite.
        """
        # The two kinds are kept apart, so that no traceback of a wrong limit shows the token.
        own = own_settings(read_own(environ))
        try:
            return cls(**own, **official_settings(read_official(environ), home))
        except CredentialError as error:
            fix = "" if error.next_step == HOW_TO_AUTHENTICATE else error.next_step
            return cls(**own, problem=str(error), problem_fix=fix)

    @classmethod
    def load_for_http(
        cls,
        environ: Mapping[str, str] | None = None,
        *,
        allowed_hosts: Sequence[str] = (),
        allowed_origins: Sequence[str] = (),
    ) -> Settings:
        """The operator's part for a server whose callers bring their own credentials with each request.

        The platform's address is DO_BASE_URL, or that of DO_ENV, or production's; never a token's or a request's.
        Credentials in the environment are nobody's here: `sources` names what is ignored.

        Args:
            allowed_hosts: in the place of DEEPORIGIN_MCP_ALLOWED_HOSTS.
            allowed_origins: in the place of DEEPORIGIN_MCP_ALLOWED_ORIGINS.

        Raises:
            SettingsError: a value cannot be used.
        """
        given = {
            "DEEPORIGIN_MCP_ALLOWED_HOSTS": ",".join(allowed_hosts),
            "DEEPORIGIN_MCP_ALLOWED_ORIGINS": ",".join(allowed_origins),
        }
        own_variables = read_own(environ)
        own = own_settings(own_variables | {name: value for name, value in given.items() if value})
        variables = read_official(environ)
        try:
            base_url, source = operators_url(variables)
        except CredentialError as error:
            raise SettingsError(str(error)) from None
        sources = {"base_url": source}
        sources |= {name: IGNORED for name in ("DO_AUTH_TOKEN", "DO_ORG_KEY", "DO_PROJECT_ID") if variables.get(name)}
        if "session" in own:
            sources["session"] = "DEEPORIGIN_MCP_SESSION"
        return cls(**own, base_url=base_url, places=IN_HEADERS, sources=sources)

    def for_caller(self, token: str, org_key: str, project_id: str = "", problem: str = "") -> Settings:
        """These settings with the credentials of one caller, and nobody else's."""
        mine = {
            "token": SecretStr(token) if token else None,
            "org_key": org_key,
            "project_id": project_id,
            "problem": problem,
        }
        return self.model_copy(update=mine)


def _utc(seconds: float) -> str:
    try:
        return time.strftime("on %Y-%m-%d at %H:%M:%S UTC", time.gmtime(seconds))
    except (OverflowError, ValueError, OSError):
        return "at a time that cannot be shown"
