"""The platform's addresses, and the syntax of a base URL, a host and an origin."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal
from urllib.parse import urlsplit

Environment = Literal["prod", "staging", "dev", "local"]

BASE_URLS: Mapping[str, str] = {
    "prod": "https://api.deeporigin.io",
    "staging": "https://api.staging.deeporigin.io",
    "dev": "https://api.dev.deeporigin.io",
    "local": "http://127.0.0.1:4931",
}
"""The gateway of each environment (platform-facts 3.4); `local` is where the simulator listens."""

ISSUER_DOMAIN = "deeporigin.io"
_HOST = r"(?:[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?|\[[0-9A-Fa-f:.]+\])(?::(?P<port>\d{1,5}))?"
BASE_URL = re.compile(rf"https?://{_HOST}(?:/[A-Za-z0-9_./~-]*)?")
"""An address of the platform: no user name, no query."""
HOST = re.compile(_HOST)
"""A name or address, with or without a port, as a `Host` header has it."""
ORIGIN = re.compile(rf"https?://{_HOST}")
"""A web page's origin as browsers send it: no path."""


def environment_of_issuer(issuer: str) -> Environment | None:
    """The environment whose login host issued a token; None for any other host.

    Compares labels of the host name, not substrings: `https://device.deeporigin.io` is not `dev`.
    """
    host = host_of(issuer)
    if host != ISSUER_DOMAIN and not host.endswith("." + ISSUER_DOMAIN):
        return None
    labels = host.split(".")
    for environment in ("dev", "staging", "local"):
        if environment in labels:
            return environment
    return "prod"


def host_of(url: str) -> str:
    """The host name of an address, without the port; empty if there is none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
