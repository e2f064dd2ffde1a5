"""`deeporigin-mcp doctor`: checks the configuration and the platform, and says what to fix."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Literal

import anyio

from deeporigin_mcp.apps.pages import is_built
from deeporigin_mcp.errors import DeepOriginError, NetworkError, SettingsError
from deeporigin_mcp.logs import say
from deeporigin_mcp.platform import DeepOriginClient, RetryPolicy
from deeporigin_mcp.platform.records.money import usd
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.platform.records.values import text
from deeporigin_mcp.platform.transport.responses import rows_of
from deeporigin_mcp.server import create_server
from deeporigin_mcp.settings import BASE_URLS, Settings, TokenClaims, environment_of_issuer
from deeporigin_mcp.settings.addresses import host_of
from deeporigin_mcp.tools.files.folders import Folders
from deeporigin_mcp.tools.responses.environment import environment_of

EXIT_OK, EXIT_FAILED, EXIT_SETTINGS = 0, 1, 2
DAY_SECONDS = 86_400
WARN_DAYS = 7
CHECK_NETWORK = "Check the network, the address (DO_BASE_URL), and whether a proxy is needed (HTTPS_PROXY)."


@dataclass(frozen=True)
class Finding:
    """The outcome of one check; `fix` is empty if there is nothing to do."""

    check: str
    status: Literal["ok", "warning", "failed"]
    detail: str
    fix: str = ""


def run_doctor(*, as_json: bool) -> int:
    """Check, print, and return 0 (nothing failed), 1 (something failed) or 2 (a setting is invalid)."""
    try:
        settings = Settings.load()
        # Finds what only a server checks, such as an unknown toolset.
        create_server(settings)
    except SettingsError as error:
        findings = [Finding("settings", "failed", str(error), error.next_step or "Correct the variable.")]
        _print(findings, as_json=as_json)
        return EXIT_SETTINGS
    findings = anyio.run(examine, settings)
    _print(findings, as_json=as_json)
    return EXIT_FAILED if any(finding.status == "failed" for finding in findings) else EXIT_OK


async def examine(settings: Settings) -> list[Finding]:
    """All checks that these settings allow, in the order in which to fix things."""
    findings = await _examined(settings)
    # They hold texts of the platform and of the token.
    return [replace(finding, detail=one_line(finding.detail), fix=one_line(finding.fix)) for finding in findings]


async def _examined(settings: Settings) -> list[Finding]:
    async with DeepOriginClient(settings, retry=RetryPolicy(attempts=2, budget_seconds=5)) as client:
        if settings.problem and settings.problem_fix:
            # Which token is meant is unknown until this is fixed.
            return [
                _spending(settings),
                _files(settings),
                *_notify(settings),
                Finding("configuration", "failed", settings.problem, settings.problem_fix),
            ]
        credentials = _credentials(settings, client.timing.wall())
        findings = [_spending(settings), _files(settings), *_notify(settings), *_pages(), *credentials]
        if settings.problem:
            # The platform's address is unknown.
            return findings
        findings = [_platform(settings), *findings]
        try:
            findings += _network(client)
            await client.reach()
        except DeepOriginError as error:
            # The services cannot be reached either, for the same reason.
            fix = error.next_step if isinstance(error, SettingsError) or client.network[0].proxy else CHECK_NETWORK
            fix = error.next_step if isinstance(error, NetworkError) and error.is_lasting else fix
            return [*findings, Finding("network", "failed", str(error), fix)]
        if await client.is_simulated():
            findings[0] = _platform(settings, is_simulated=True)
        findings += _services(await client.health())
        if all(finding.status != "failed" for finding in credentials):
            findings += await _organisation(client)
            findings += await _projects(client)
            findings += await _clusters(client)
            findings += await _allowed(client)
    return findings


def _pages() -> list[Finding]:
    """Whether there are the pages that `view`, reports and clients with apps need; empty if all is well."""
    if is_built():
        return []
    return [
        Finding(
            "pages", "warning", "not built: no reports, no `view`, no pages in clients", "In a clone, run scripts/apps."
        )
    ]


def _network(client: DeepOriginClient) -> list[Finding]:
    """The proxy and certificates that the environment sets; empty if none."""
    route, trust = client.network
    parts = [f"through {route.proxy.url} (from {route.proxy.variable})"] if route.proxy else []
    parts += [route.note] if route.note else []
    parts += [f"certificates of {trust.variables}"] if trust.variables else []
    return [Finding("network", "ok", ", ".join(parts))] if parts else []


async def _allowed(client: DeepOriginClient) -> list[Finding]:
    rules = client.settings.allowed_tool_keys
    if not rules:
        return []
    try:
        keys = {definition.key for definition in await client.tools.catalogue()}
    except DeepOriginError as error:
        return [_failed("allowed tools", error)]
    allowed = sorted(key for key in keys if client.settings.allows_tool(key))
    idle = client.settings.rules_without_tool(keys)
    detail = f"{len(allowed)} of the platform's {len(keys)}: {_listed(allowed)}"
    if not idle:
        return [Finding("allowed tools", "ok", detail)]
    return [
        Finding(
            "allowed tools",
            "warning" if allowed else "failed",
            f"{detail}; no tool matches {_listed(idle)}",
            f"Correct DEEPORIGIN_MCP_ALLOWED_TOOL_KEYS: {_listed(sorted(keys))}.",
        )
    ]


def _platform(settings: Settings, *, is_simulated: bool = False) -> Finding:
    source = settings.sources.get("base_url", "the default")
    environment = environment_of(settings, is_simulated=is_simulated)
    return Finding("platform", "ok", f"{environment}: {settings.base_url} (from {source})")


def _notify(settings: Settings) -> list[Finding]:
    """Who is told that a run is over; empty if nobody."""
    return [] if settings.notify is None else [Finding("notify", "ok", settings.notify.kind)]


def _spending(settings: Settings) -> Finding:
    limits = [f"automatic up to {usd(settings.auto_approve_up_to)}"]
    limits += [] if settings.max_price is None else [f"no run above {usd(settings.max_price)}"]
    limits += [] if settings.budget is None else [f"budget {usd(settings.budget)} per session"]
    limits += ["read-only"] if settings.read_only else []
    return Finding("spending", "ok", ", ".join(limits))


def _files(settings: Settings) -> Finding:
    """The folders of this machine: whether they exist, and the first can take downloads."""
    if not settings.files:
        return Finding("files", "warning", "no folder, because there is no home directory", "Set DEEPORIGIN_MCP_FILES.")
    folders, first = Folders(settings.files), settings.files[0]
    missing = [folder for folder in settings.files if not folder.is_dir()]
    notes = {folder: "not a folder" if os.path.lexists(folder) else "does not exist" for folder in missing}
    if notes.get(first) == "does not exist":
        notes[first] = "made on first use"
    detail = ", ".join(
        folders.shown(folder) + (f" ({notes[folder]})" if folder in notes else "") for folder in settings.files
    )
    made_in = next((folder for folder in (first, *first.parents) if os.path.lexists(folder)), first)
    if not made_in.is_dir() or not os.access(made_in, os.W_OK | os.X_OK):
        return Finding(
            "files",
            "failed",
            f"{detail}; the first cannot be written",
            "Correct its permissions, or put another folder first in DEEPORIGIN_MCP_FILES.",
        )
    if missing and missing != [first]:
        return Finding("files", "warning", detail, "Make the missing folder, or correct DEEPORIGIN_MCP_FILES.")
    return Finding("files", "ok", detail)


def _credentials(settings: Settings, now: float) -> list[Finding]:
    try:
        token = settings.require_token(now)
        claims = TokenClaims.read(token)
    except DeepOriginError as error:
        return [Finding("token", "failed", str(error), error.next_step)]
    days = (claims.expires_at - now) / DAY_SECONDS
    who = claims.email or claims.name or claims.subject or "no name in it"
    expiry = Finding("token", "ok", f"{who} ({settings.sources.get('token', 'code')}), {days:.1f} days left")
    if days < WARN_DAYS:
        expiry = Finding("token", "warning", expiry.detail, "Get a new token in the Deep Origin web app soon.")
    issuer = environment_of_issuer(claims.issuer)
    host = host_of(claims.issuer) or "unknown issuer"
    if issuer is not None and settings.environment in BASE_URLS and issuer != settings.environment != "local":
        mismatch = Finding(
            "issuer",
            "failed",
            f"the token is for {issuer} ({host}) and the platform is {settings.environment}",
            "Use a token of the same environment, or remove DO_BASE_URL or DO_ENV.",
        )
        return [expiry, mismatch]
    return [expiry, Finding("issuer", "ok", host)]


def _services(health: dict[str, str]) -> list[Finding]:
    findings = []
    for state in dict.fromkeys(health.values()):
        names = ", ".join(service for service in health if health[service] == state)
        if state == "ok":
            findings.append(Finding("services", "ok", names))
        else:
            fix = "Wait until the platform is well again. If it fails for long, tell Deep Origin's support."
            findings.append(Finding("services", "failed", f"{names}: {state}", fix))
    return findings


async def _organisation(client: DeepOriginClient) -> list[Finding]:
    settings = client.settings
    try:
        rows = await client.organizations.list()
    except DeepOriginError as error:
        return [_failed("organisation", error)]
    keys = [text(row.get("orgKey")) for row in rows if row.get("orgKey")]
    if settings.org_key in keys or not keys:
        return [Finding("organisation", "ok", f"{settings.org_key} ({settings.sources.get('org_key', 'code')})")]
    detail = f"{settings.org_key} is not among the token's organisations: {_listed(keys)}"
    return [Finding("organisation", "failed", detail, "Set DO_ORG_KEY to one of these.")]


async def _projects(client: DeepOriginClient) -> list[Finding]:
    wanted = client.settings.project_id
    try:
        rows = rows_of(await client.projects.list())
        known = {text(row.get("id")) for row in rows}
        if wanted and wanted not in known:
            known |= {text(row.get("id")) for row in rows_of(await client.projects.get(project_id=wanted))}
    except DeepOriginError as error:
        return [_failed("project", error)]
    listed = _listed(f"{text(row.get('id'))} ({text(row.get('name'))})" for row in rows)
    if wanted and wanted not in known:
        fix = f"Set DO_PROJECT_ID to one of: {listed}" if rows else "Remove DO_PROJECT_ID, or create the project."
        return [Finding("project", "failed", f"{wanted} does not exist", fix)]
    if wanted:
        return [Finding("project", "ok", wanted)]
    if not rows:
        return [
            Finding("project", "warning", "the organisation has no project", "Create one in the Deep Origin web app.")
        ]
    if len(rows) == 1:
        return [Finding("project", "ok", f"{listed}, the only one")]
    return [
        Finding("project", "warning", "no project is set", f"Set DO_PROJECT_ID, or give a project_id per run: {listed}")
    ]


async def _clusters(client: DeepOriginClient) -> list[Finding]:
    try:
        rows = rows_of(await client.clusters.list())
    except DeepOriginError as error:
        return [_failed("cluster", error)]
    if not rows:
        return [Finding("cluster", "failed", "the organisation has no cluster", "Ask Deep Origin's support for one.")]
    first = rows[0]
    name = text(first.get("name")) or text(first.get("hostname")) or text(first.get("id"))
    state = "disabled" if first.get("enabled") is False else text(first.get("status")) or "healthy"
    if state != "healthy":
        detail = f"the first one, {name}, is {state}"
        return [Finding("cluster", "warning", detail, "Runs may wait; if it stays so, give another cluster_id.")]
    return [Finding("cluster", "ok", f"{name} and {len(rows) - 1} more" if len(rows) > 1 else name)]


def _failed(check: str, error: DeepOriginError) -> Finding:
    return Finding(check, "failed", str(error), error.next_step)


def _listed(names: Iterable[str]) -> str:
    return one_line(", ".join(names), 400) or "none"


def _print(findings: list[Finding], *, as_json: bool) -> None:
    if as_json:
        healthy = all(finding.status != "failed" for finding in findings)
        say(json.dumps({"ok": healthy, "findings": [asdict(finding) for finding in findings]}, indent=2))
        return
    marks = {"ok": "ok     ", "warning": "warning", "failed": "FAILED "}
    for finding in findings:
        say(f"{marks[finding.status]}  {finding.check}: {finding.detail}")
        if finding.fix:
            say(f"         → {finding.fix}")
