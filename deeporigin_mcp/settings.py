"""Who calls, where to, and with which limits: the only reader of the environment and of `~/.deeporigin`.

The variables, files and their precedence are those of the official client (platform-facts 3), so that its
user has nothing new to configure. Files are read and never written.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import os
import re
import time
import uuid
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from deeporigin_mcp.errors import CredentialError, SettingsError
from deeporigin_mcp.places import HOW_TO_AUTHENTICATE, IN_ENVIRONMENT, IN_HEADERS, CredentialPlaces

Environment = Literal["prod", "staging", "dev", "local"]

BASE_URLS: Mapping[str, str] = {
    "prod": "https://api.deeporigin.io",
    "staging": "https://api.staging.deeporigin.io",
    "dev": "https://api.dev.deeporigin.io",
    "local": "http://127.0.0.1:4931",
}
"""The gateway of each environment (platform-facts 3.4); `local` is where the simulator listens."""

ISSUER_DOMAIN = "deeporigin.io"
_JWT = re.compile(r"[A-Za-z0-9_=-]+\.[A-Za-z0-9_=-]+\.[A-Za-z0-9_=-]*")
_BASE_URL = re.compile(
    r"https?://(?:[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?|\[[0-9A-Fa-f:.]+\])(?::(?P<port>\d{1,5}))?(?:/[A-Za-z0-9_./~-]*)?"
)
_HOST = r"(?:[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?"
HOST = re.compile(_HOST)
"""A name or address, with or without a port, as a `Host` header has it."""
ORIGIN = re.compile(rf"https?://{_HOST}")
"""A web page's origin as browsers send it: no path."""
_REFERENCE = re.compile(r"\$\{[^{}]*\}")
_EMPTY_FIELD = re.compile(r"\$\{user_config\.\w+\}")
SHORTEST_STATE_KEY_BYTES = 32
LOCAL_ORG_KEY = "deeporigin"
LOCAL_TOKEN_SECONDS = 365 * 24 * 3600

IGNORED = "ignored"
"""In `Settings.sources`: set, and nobody's over HTTP."""

Usd = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class TokenClaims(BaseModel):
    """What a token says of itself. Read without checking the signature: the platform does that."""

    model_config = ConfigDict(frozen=True)

    issuer: str = ""
    subject: str = ""
    name: str = ""
    email: str = ""
    expires_at: float = 0.0
    """Unix seconds; a token without an expiry counts as expired, as in the official client."""

    @classmethod
    def read(cls, token: SecretStr) -> TokenClaims:
        """Read the claims of a JWT.

        Raises:
            CredentialError: the text is not a JWT. The message does not repeat the token.
        """
        try:
            # Anything else could not be sent in a header either, such as a token that was wrapped over two lines.
            if not _JWT.fullmatch(token.get_secret_value()):
                raise ValueError
            encoded = token.get_secret_value().split(".")[1]
            payload = json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
            if not isinstance(payload, dict):
                raise ValueError
        except (ValueError, binascii.Error, RecursionError):
            raise CredentialError(
                "The Deep Origin token cannot be read: it is not a JWT (three parts with dots between them).",
                next_step=HOW_TO_AUTHENTICATE,
            ) from None
        return cls(
            issuer=_claim(payload, "iss"),
            subject=_claim(payload, "sub"),
            name=_claim(payload, "name"),
            email=_claim(payload, "email"),
            expires_at=_number(payload.get("exp")),
        )


def _claim(payload: dict[str, Any], name: str) -> str:
    value = payload.get(name)
    return value if isinstance(value, str) else ""


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0.0
    try:
        return float(value) if math.isfinite(value) else 0.0
    except OverflowError:  # a whole number beyond any float
        return 0.0


def environment_of_issuer(issuer: str) -> Environment | None:
    """The environment whose login host issued a token; None for any other host.

    The labels of the host name are compared, not substrings: `https://device.example.org` is no `dev`.
    """
    host = _host(issuer)
    if host != ISSUER_DOMAIN and not host.endswith("." + ISSUER_DOMAIN):
        return None
    labels = host.split(".")
    for environment in ("dev", "staging", "local"):
        if environment in labels:
            return environment
    return "prod"


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


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

    auto_approve_up_to: Usd = 0.0
    """USD; a quote up to here starts without a person (design 4, rule 1)."""
    max_price: Usd | None = None
    """USD; nothing above it starts, whoever says yes."""
    budget: Usd | None = None
    """USD; the most that one `session` may start in sum."""
    read_only: bool = False
    toolsets: tuple[str, ...] = ()
    """The groups of MCP tools to offer; empty for all."""
    allowed_tool_keys: tuple[str, ...] = ()
    """Patterns of the platform tools that may be run, such as `deeporigin.mol-props-*`; empty for all."""
    audit_log: Path | None = None
    """File that gets a JSON line for each decision about money."""
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
        host = _host(self.base_url)
        return "local" if host in ("127.0.0.1", "localhost", "::1") else host

    def allows_tool(self, tool_key: str) -> bool:
        """Whether the operator lets this platform tool run."""
        return not self.allowed_tool_keys or any(fnmatchcase(tool_key, rule) for rule in self.allowed_tool_keys)

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
        own = _own_settings(_variables(environ, "DEEPORIGIN_MCP_"))
        try:
            return cls(**own, **_official_settings(_variables(environ, "DO_"), home))
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
        own_variables = _variables(environ, "DEEPORIGIN_MCP_")
        own = _own_settings(own_variables | {name: value for name, value in given.items() if value})
        variables = _variables(environ, "DO_")
        try:
            base_url, source = _operators_url(variables)
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


def local_token(now: float) -> SecretStr:
    """An unsigned token for the local simulator, for users who set only DO_ENV=local."""

    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    claims = {
        "iss": f"https://local.{ISSUER_DOMAIN}/realms/deeporigin",
        "sub": "local-user",
        "name": "Local User",
        "iat": int(now),
        "exp": int(now) + LOCAL_TOKEN_SECONDS,
    }
    return SecretStr(f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(claims)}.")


def _official_settings(variables: Mapping[str, str], home: Path | None) -> dict[str, Any]:
    """Credentials and addresses by the official precedence (platform-facts 3.3)."""
    token_text = _variable(variables, "DO_AUTH_TOKEN")
    org_key = _variable(variables, "DO_ORG_KEY")
    project_id = _variable(variables, "DO_PROJECT_ID")
    values: dict[str, Any] = {"project_id": project_id}
    sources = {"project_id": "DO_PROJECT_ID"} if project_id else {}

    if token_text and org_key:
        token = SecretStr(token_text)
        base_url = _variable(variables, "DO_BASE_URL")
        sources |= {"token": "DO_AUTH_TOKEN", "org_key": "DO_ORG_KEY"}
        sources["base_url"] = "DO_BASE_URL" if base_url else "the token's issuer"
        values |= {"token": token, "org_key": org_key}
        values["base_url"] = _checked_url(base_url) if base_url else _url_of_issuer(token)
        return values | {"sources": sources}

    config = _read_json(home, "config.json")
    environment = "prod"
    if named := _variable(variables, "DO_ENV"):
        environment, sources["base_url"] = named, "DO_ENV"
    elif named := _text(config.get("env")):
        environment, sources["base_url"] = named, "~/.deeporigin/config.json"
    _require_environment(environment, sources.get("base_url", ""))
    if org_key:
        sources["org_key"] = "DO_ORG_KEY"
    elif org_key := _text(config.get("org_key")):
        sources["org_key"] = "~/.deeporigin/config.json"
    elif environment == "local":
        org_key = LOCAL_ORG_KEY
        sources["org_key"] = "the default of DO_ENV=local"
    if token_text:
        sources["token"] = "DO_AUTH_TOKEN"
    elif environment == "local":
        token_text = local_token(time.time()).get_secret_value()
        sources["token"] = "made for DO_ENV=local"
    elif token_text := _text(_read_json(home, "api_tokens.json").get(environment)):
        sources["token"] = "~/.deeporigin/api_tokens.json"
    return values | {
        "token": SecretStr(token_text) if token_text else None,
        "org_key": org_key,
        "base_url": BASE_URLS[environment],
        "sources": sources,
    }


def _operators_url(variables: Mapping[str, str]) -> tuple[str, str]:
    """Where a server for many callers sends their requests, and which variable says so."""
    if named := _variable(variables, "DO_BASE_URL"):
        return _checked_url(named), "DO_BASE_URL"
    environment = _variable(variables, "DO_ENV")
    if environment:
        _require_environment(environment, "DO_ENV")
    return BASE_URLS[environment or "prod"], "DO_ENV" if environment else "the default"


def _require_environment(name: str, source: str) -> None:
    if name not in get_args(Environment):
        raise CredentialError(
            f"The environment {name[:40]!r} (from {source}) is not one of {', '.join(get_args(Environment))}.",
            next_step=f"Correct it in {source} and restart this MCP server.",
        )


def _url_of_issuer(token: SecretStr) -> str:
    issuer = TokenClaims.read(token).issuer
    environment = environment_of_issuer(issuer)
    if environment is None:
        host = _host(issuer) or "nobody"
        raise CredentialError(
            f"The token in DO_AUTH_TOKEN was issued by {host[:100]!r}, which is no Deep Origin login host, so the "
            "platform's address cannot be derived from it. Set DO_BASE_URL to say where it may be sent."
        )
    return BASE_URLS[environment]


def _checked_url(text: str) -> str:
    parts = _BASE_URL.fullmatch(text)
    if not parts or not 0 < int(parts["port"] or 1) < 65536:
        raise CredentialError(
            "DO_BASE_URL is not a usable address. Valid: https://host or http://host:port, without a user name, "
            "a query or blanks.",
            next_step="Correct DO_BASE_URL, or remove it, and restart this MCP server.",
        )
    return text.rstrip("/")


def _variables(environ: Mapping[str, str] | None, prefix: str) -> dict[str, str]:
    """The variables of a kind, without those that a client meant to fill in and left as they were written.

    A bundle's host leaves `${user_config.budget}` where the person left the field empty; clients leave
    `${DO_ORG_KEY}` where they know no such variable. A limit that refers to an unknown variable is kept, and refused:
    it must not turn into no limit.
    """
    unfilled = _EMPTY_FIELD if prefix == "DEEPORIGIN_MCP_" else _REFERENCE
    return {
        name: value
        for name, value in (os.environ if environ is None else environ).items()
        if name.startswith(prefix) and not unfilled.fullmatch(value.strip())
    }


def _variable(variables: Mapping[str, str], name: str) -> str:
    """A variable's text; one that is set to nothing counts as not set."""
    return _text(variables.get(name), name)


def _text(value: Any, source: str = "a file of ~/.deeporigin") -> str:
    text = value.strip() if isinstance(value, str) else ""
    if not text.isprintable():
        # Control characters, or bytes that are no text: these could not be sent, nor written to a log.
        fix = "" if source == "DO_AUTH_TOKEN" else f"Correct it in {source} and restart this MCP server."
        raise CredentialError(f"A value in {source} holds characters that cannot be used.", next_step=fix)
    return text


def _read_json(home: Path | None, name: str) -> dict[str, Any]:
    """The JSON object in a file of `~/.deeporigin`; empty if there is no such file, or no home directory."""
    try:
        folder = (Path.home() if home is None else home) / ".deeporigin"
    except RuntimeError:
        return {}
    try:
        content = json.loads((folder / name).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        reason = "cannot be read" if isinstance(error, OSError) else "is not valid JSON"
        raise CredentialError(
            f"~/.deeporigin/{name} {reason}.",
            next_step="Correct or remove that file, or set DO_AUTH_TOKEN and DO_ORG_KEY in its place, and restart this "
            "MCP server.",
        ) from None
    return content if isinstance(content, dict) else {}


def _own_settings(variables: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {
        "auto_approve_up_to": _usd(variables, "DEEPORIGIN_MCP_AUTO_APPROVE_UP_TO") or 0.0,
        "max_price": _usd(variables, "DEEPORIGIN_MCP_MAX_PRICE"),
        "budget": _usd(variables, "DEEPORIGIN_MCP_BUDGET"),
    }
    if session := variables.get("DEEPORIGIN_MCP_SESSION", "").strip():
        if not session.isprintable():
            raise SettingsError("DEEPORIGIN_MCP_SESSION holds characters that cannot be used. Valid: one line of text.")
        values["session"] = session
    read_only = variables.get("DEEPORIGIN_MCP_READ_ONLY", "").strip().lower()
    if read_only not in ("", "0", "false", "no", "off", "1", "true", "yes", "on"):
        raise SettingsError(f"DEEPORIGIN_MCP_READ_ONLY is {read_only!r}. Valid: true or false.")
    values["read_only"] = read_only in ("1", "true", "yes", "on")
    values["toolsets"] = _names(variables, "DEEPORIGIN_MCP_TOOLSETS")
    values["allowed_tool_keys"] = _names(variables, "DEEPORIGIN_MCP_ALLOWED_TOOL_KEYS")
    if audit_log := variables.get("DEEPORIGIN_MCP_AUDIT_LOG", "").strip():
        values["audit_log"] = Path(audit_log).expanduser()
    keys = _names(variables, "DEEPORIGIN_MCP_STATE_KEYS")
    if any(len(key.encode()) < SHORTEST_STATE_KEY_BYTES for key in keys):
        raise SettingsError(
            f"DEEPORIGIN_MCP_STATE_KEYS holds a key of fewer than {SHORTEST_STATE_KEY_BYTES} bytes. Valid: one or more "
            "random texts of that length or longer, with commas between them, the same for every worker."
        )
    values["state_keys"] = tuple(SecretStr(key) for key in keys)
    values["allowed_hosts"] = _matching(
        variables, "DEEPORIGIN_MCP_ALLOWED_HOSTS", HOST, "a host such as mcp.example.org"
    )
    values["allowed_origins"] = _matching(
        variables, "DEEPORIGIN_MCP_ALLOWED_ORIGINS", ORIGIN, "an origin such as https://chat.example.org"
    )
    if level := variables.get("DEEPORIGIN_MCP_LOG_LEVEL", "").strip().upper():
        if level not in ("DEBUG", "INFO", "WARNING", "ERROR"):
            raise SettingsError(f"DEEPORIGIN_MCP_LOG_LEVEL is {level!r}. Valid: DEBUG, INFO, WARNING, ERROR.")
        values["log_level"] = level
    return values


def _names(variables: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in variables.get(name, "").split(",") if part.strip())


def _matching(variables: Mapping[str, str], name: str, form: re.Pattern[str], example: str) -> tuple[str, ...]:
    values = _names(variables, name)
    for value in values:
        if not form.fullmatch(value):
            raise SettingsError(f"{name} holds {value[:80]!r}. Valid: {example}, several with commas between them.")
    return values


def _usd(variables: Mapping[str, str], name: str) -> float | None:
    text = variables.get(name, "").strip()
    if not text:
        return None
    try:
        amount = float(text)
    except ValueError:
        amount = math.nan
    if not math.isfinite(amount) or amount < 0:
        raise SettingsError(f"{name} is {text!r}. Valid: an amount in USD, zero or more, such as 2.50.")
    return amount
