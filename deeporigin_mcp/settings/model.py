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
from deeporigin_mcp.settings.notify import Notify
from deeporigin_mcp.settings.official import official_settings, operators_url
from deeporigin_mcp.settings.own import WAYS, own_settings
from deeporigin_mcp.settings.places import HOW_TO_AUTHENTICATE, IN_ENVIRONMENT, IN_HEADERS, CredentialPlaces
from deeporigin_mcp.settings.reading import default_files, read_official, read_own
from deeporigin_mcp.settings.tokens import TokenClaims

IGNORED = "ignored"
"""In `Settings.sources`: the variable is set, but not used over HTTP."""

Usd = Annotated[Decimal, Field(ge=0, allow_inf_nan=False)]


class Settings(BaseModel):
    """The whole configuration: frozen, and without open resources.

    Build it with `Settings.load()` from the official variables and files, or from its fields.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    token: SecretStr | None = None
    org_key: str = ""
    project_id: str = ""
    base_url: str = BASE_URLS["prod"]
    session: str = Field(default_factory=lambda: str(uuid.uuid4()))
    """Written into everything this deployment creates; stable if DEEPORIGIN_MCP_SESSION is set."""
    billing_tag: str = ""
    """The billing tag of the executions that this deployment creates and that name none."""
    sources: Mapping[str, str] = {}
    """Where each value came from, for `doctor`: setting → variable or file name."""
    places: CredentialPlaces = IN_ENVIRONMENT
    problem: str = ""
    problem_fix: str = ""
    problem_code: str | None = None
    """Why configured credentials cannot be used, what to do, and the error's code; raised by `require_token`."""

    auto_approve_up_to: Usd = Decimal(0)
    """USD; a quote up to this price starts without a person's approval."""
    max_price: Usd | None = None
    """USD; no run above this price starts, whoever approves it."""
    budget: Usd | None = None
    """USD; the most that one `session` may spend in an organisation, whoever made the quotes."""
    max_per_day: Usd | None = None
    """USD; the most that may be started within 24 hours in an organisation, as far as the ledger knows."""
    max_failures: int = Field(default=3, ge=0)
    """How often in a row the same inputs may fail before a person has to approve the next try; 0 for any number."""
    approval: tuple[str, ...] = WAYS
    """The ways to a person who approves a price, in the order in which they are tried."""
    read_only: bool = False
    toolsets: tuple[str, ...] = ()
    """The groups of MCP tools to offer; empty for all."""
    allowed_tool_keys: tuple[str, ...] = ()
    """Patterns of the platform tools that may be run, such as `deeporigin.mol-props-*`; empty for all."""
    files: tuple[Path, ...] = Field(default_factory=default_files)
    """Where the server runs on its user's machine: folders whose files may be read; the first takes downloads."""
    notify: Notify | None = None
    """Who is told once when a run that this server started is over."""
    audit_log: Path | None = None
    """A file to which each decision about money is appended as a JSON line."""
    ledger: Path | None = None
    """The ledger of approvals; None for a file beside the audit log, or in the user's state directory."""
    state_keys: tuple[SecretStr, ...] = ()
    """Keys that encrypt the state of an elicitation, shared by all workers; the first encrypts, all decrypt."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "WARNING"
    allowed_hosts: tuple[str, ...] = ()
    """Over HTTP: accepted Host headers, with or without a port."""
    allowed_origins: tuple[str, ...] = ()
    """Over HTTP: accepted Origin headers, such as `https://chat.example.org`."""

    @property
    def environment(self) -> str:
        """`prod`, `staging`, `dev`, `local`, or else the host of the base URL."""
        for name, url in BASE_URLS.items():
            if url == self.base_url:
                return name
        host = host_of(self.base_url)
        return "local" if host in ("127.0.0.1", "localhost", "::1") else host

    @property
    def is_local(self) -> bool:
        """Whether the server runs on its user's machine (stdio), so that a path means the same to both."""
        return self.places != IN_HEADERS

    @property
    def ways(self) -> tuple[str, ...]:
        """The ways to a person that can be open: a page and a terminal only on the machine of the user."""
        return tuple(way for way in self.approval if self.is_local or way not in ("browser", "terminal"))

    def allows_tool(self, tool_key: str) -> bool:
        """Whether the operator allows this platform tool."""
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
        """The token, if it is valid at `now` (Unix seconds).

        Raises:
            CredentialError: `not_signed_in` (no token or organisation), `invalid_token`, `token_expired`, or the code
                of what is wrong in the configuration.
        """
        if self.problem:
            raise CredentialError(
                self.problem, next_step=self.problem_fix or self.places.how_to_give, code=self.problem_code
            )
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
                code="not_signed_in",
            )
        try:
            expires_at = TokenClaims.read(self.token).expires_at
        except CredentialError as error:
            raise CredentialError(str(error), next_step=self.places.how_to_give, code=error.code) from None
        if (time.time() if now is None else now) > expires_at:
            when = _utc(expires_at) if expires_at else "at once: it has no expiry date"
            raise CredentialError(
                f"The Deep Origin token expired {when}.",
                next_step=self.places.how_to_renew,
                code="token_expired",
            )
        return self.token

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None, home: Path | None = None) -> Settings:
        """Read the official variables and files, and this server's own DEEPORIGIN_MCP_* variables.

        Missing or invalid credentials raise no error here: the server must be able to start and list its tools.

        Raises:
            SettingsError: a DEEPORIGIN_MCP_* variable is invalid or unknown. A limit on money must never silently
                become zero or infinite.
        """
        # Read apart, so that no traceback about an invalid limit shows the token.
        own = own_settings(read_own(environ))
        try:
            return cls(**own, **official_settings(read_official(environ), home))
        except CredentialError as error:
            fix = "" if error.next_step == HOW_TO_AUTHENTICATE else error.next_step
            return cls(**own, problem=str(error), problem_fix=fix, problem_code=error.code)

    @classmethod
    def load_for_http(
        cls,
        environ: Mapping[str, str] | None = None,
        *,
        allowed_hosts: Sequence[str] = (),
        allowed_origins: Sequence[str] = (),
    ) -> Settings:
        """The operator's settings for a server whose callers send their own credentials with each request.

        The platform's address is DO_BASE_URL, or that of DO_ENV, or production's; never a token's or a request's.
        Credentials in the environment are not used; `sources` names them as ignored.

        Args:
            allowed_hosts: used instead of DEEPORIGIN_MCP_ALLOWED_HOSTS.
            allowed_origins: used instead of DEEPORIGIN_MCP_ALLOWED_ORIGINS.

        Raises:
            SettingsError: a value is invalid or a variable unknown.
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
            raise SettingsError(str(error), code=error.code) from None
        sources = {"base_url": source}
        sources |= {name: IGNORED for name in ("DO_AUTH_TOKEN", "DO_ORG_KEY", "DO_PROJECT_ID") if variables.get(name)}
        if "session" in own:
            sources["session"] = "DEEPORIGIN_MCP_SESSION"
        return cls(**own, base_url=base_url, places=IN_HEADERS, sources=sources)

    def for_caller(self, token: str, org_key: str, project_id: str = "", problem: str = "") -> Settings:
        """These settings with the credentials of one caller only."""
        mine = {
            "token": SecretStr(token) if token else None,
            "org_key": org_key,
            "project_id": project_id,
            "problem": problem,
            "problem_code": "invalid_header" if problem else None,
        }
        return self.model_copy(update=mine)


def _utc(seconds: float) -> str:
    try:
        return time.strftime("on %Y-%m-%d at %H:%M:%S UTC", time.gmtime(seconds))
    except (OverflowError, ValueError, OSError):
        return "at a time that cannot be shown"
