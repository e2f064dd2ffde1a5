"""The hosts under which the server may be called, and the web pages that may call it; compared as in RFC 9110."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response

LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "[::1]")
DEFAULT_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[^\s:/@\\\[\]?#]+?)\.?(?::(?P<port>\d{1,5})?)?")


class Names:
    """Allowed hosts and origins; those of this machine, unless others are given.

    Case, a dot at the end of a name and a scheme's default port make no difference, nor do two ways of writing one IPv6
    address. A host without a port allows every port; an origin does not.
    """

    def __init__(self, hosts: Sequence[str] = (), origins: Sequence[str] = ()) -> None:
        self._hosts = [found for host in hosts or LOOPBACK_HOSTS if (found := _host(host))]
        self._origins = {_origin(origin) for origin in origins} - {None}
        self._allows_loopback_origins = not origins

    def allows_host(self, value: str) -> bool:
        """Whether a `Host` header is allowed."""
        if not (asked := _host(value)):
            return False
        # TLS may end in front of the server, so without a port it may be either scheme's default.
        ports = (asked[1],) if asked[1] is not None else (None, *DEFAULT_PORTS.values())
        return any(name == asked[0] and (port is None or port in ports) for name, port in self._hosts)

    def allows_origin(self, value: str) -> bool:
        """Whether an `Origin` header is allowed."""
        asked = _origin(value)
        if asked is None:
            return False
        if self._allows_loopback_origins:
            return asked[0] == "http" and asked[1] in LOOPBACK_HOSTS
        return asked in self._origins


def _host(value: str) -> tuple[str, int | None] | None:
    found = _HOST.fullmatch(value.strip().lower())
    if not found:
        return None
    name, port = found["name"], found["port"]
    if name.startswith("["):
        try:
            name = f"[{ipaddress.IPv6Address(name[1:-1])}]"
        except ValueError:
            return None
    return name, int(port) if port else None


def _origin(value: str) -> tuple[str, str, int | None] | None:
    scheme, separator, rest = value.strip().lower().partition("://")
    host = _host(rest.removesuffix("/")) if separator else None
    if host is None:
        return None
    return scheme, host[0], DEFAULT_PORTS.get(scheme) if host[1] is None else host[1]


class Cors(CORSMiddleware):
    """Only pages of allowed origins may call from a browser; other programs send no Origin."""

    def __init__(self, app: object, names: Names) -> None:
        super().__init__(
            app,  # type: ignore[arg-type]
            allow_methods=["POST"],
            allow_headers=["*"],
            # A page on the internet may call a server in the private network, if the operator allows the page.
            allow_private_network=True,
        )
        self._names = names

    def is_allowed_origin(self, origin: str) -> bool:
        return self._names.allows_origin(origin)

    def preflight_response(self, request_headers: Headers) -> Response:
        response = super().preflight_response(request_headers)
        if response.status_code != 200:
            del response.headers["Access-Control-Allow-Private-Network"]
        return response
