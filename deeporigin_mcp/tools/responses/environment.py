"""A plain sign of where a server works, wherever that is not production."""

from __future__ import annotations

from deeporigin_mcp.settings import BASE_URLS, Settings

SIMULATED = "simulated platform: nothing is real, and nothing is charged"


def environment_of(settings: Settings, *, is_simulated: bool = False) -> str:
    """Such as `prod`, `staging (not production)` or `local (simulated platform: …)`.

    Args:
        is_simulated: the platform says so.
    """
    name = settings.environment
    if is_simulated:
        return f"{name} ({SIMULATED})"
    if name == "prod":
        return name
    return f"{name} (not production)" if name in BASE_URLS else f"{name} (not Deep Origin's own address)"


def where_charged(settings: Settings, *, is_simulated: bool = False) -> str:
    """The end of a sentence about a charge: ` on staging (not production)`; empty in production."""
    if settings.environment == "prod":
        return ""
    # At Deep Origin's own addresses a price is charged, whatever a response says.
    if is_simulated and may_be_simulated(settings):
        return " on a simulated platform, where nothing is real"
    return f" on {environment_of(settings)}"


def may_be_simulated(settings: Settings) -> bool:
    """Whether this address can be a simulator's: it is none of Deep Origin's own."""
    return settings.environment == "local" or settings.environment not in BASE_URLS
