"""The route to the platform: through which proxy, and which certificates are trusted."""

from __future__ import annotations

import ipaddress
import os
import re
import socket
import ssl
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from deeporigin_mcp.errors import SettingsError
from deeporigin_mcp.settings.reading import UNREAD_CERTIFICATES, NetworkVariables, expanded, plainly, read_network

PROXY_SCHEMES = {"http": "http", "https": "https", "socks5": "socks5", "socks5h": "socks5", "socks": "socks5"}
"""Scheme of a proxy's address → its protocol. A SOCKS proxy always resolves names itself."""
RESTART = "and restart this MCP server."

_SEPARATORS = re.compile(r"[,;|\s]+")
_EXCEPTION = re.compile(r"(?P<name>\[[^\]]*\]|[^:]*)(?::(?P<port>\d+))?")
_HASHED = re.compile(r"[0-9a-f]{8}\.\d+")


@dataclass(frozen=True)
class Proxy:
    """A proxy. Its `credentials` are secret: no message and no representation contains them."""

    variable: str
    """The variable that names it, for messages."""
    scheme: str
    host: str
    port: int
    credentials: tuple[str, str] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """Its address, without credentials."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


class Route(NamedTuple):
    """How an address is reached: through `proxy`, or directly; `note` says why a configured proxy is not used."""

    proxy: Proxy | None = None
    note: str = ""


class Trust(NamedTuple):
    """Which certificates are trusted: the operator's file and folders, or httpx's own if both are None."""

    cafile: str | None = None
    capath: str | None = None
    unread: str = ""
    """A variable that is set and names certificates for other programs only."""

    @property
    def variables(self) -> str:
        return " and ".join(
            name for name, value in (("SSL_CERT_FILE", self.cafile), ("SSL_CERT_DIR", self.capath)) if value
        )


def route_to(base_url: str, environ: Mapping[str, str] | None = None) -> Route:
    """The route to an address by the variables of the environment.

    Addresses of this machine are reached directly. So are http:// addresses where the proxy is an HTTP proxy: it could
    read the token. With https:// or SOCKS a proxy only forwards encrypted bytes.

    Raises:
        SettingsError: `invalid_base_url` or `invalid_proxy`; the value is not repeated, it may hold a password.
    """
    try:
        parts = urlsplit(base_url)
        scheme, host, port = parts.scheme, (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        raise SettingsError(
            "Invalid platform address. Valid: https://host or http://host:port.", code="invalid_base_url"
        ) from None
    variables = read_network(environ)
    name = next((name for name in (f"{scheme.upper()}_PROXY", "ALL_PROXY") if variables.value(name)), "")
    if not name or is_this_machine(host):
        return Route()
    called = variables.called(name)
    if is_exempt(host, port or (443 if scheme == "https" else 80), variables.value("NO_PROXY")):
        return Route(note=f"directly, not through {called}, because of {variables.called('NO_PROXY')}")
    proxy = _proxy(called, variables.value(name))
    if scheme == "http" and proxy.scheme != "socks5":
        return Route(note=f"directly, not through {called}: over http:// that proxy could read the token")
    return Route(proxy)


def trusted(environ: Mapping[str, str] | None = None) -> Trust:
    """The certificates that the environment names.

    Raises:
        SettingsError: `invalid_certificates`, if a variable names no file or folder of certificates.
    """
    variables = read_network(environ)
    unread = next((name for name in UNREAD_CERTIFICATES if variables.value(name)), "")
    file = _certificate_file(variables)
    try:
        return Trust(file, _certificate_folders(variables), unread)
    except SettingsError:
        # A file is enough; the folder may be meant for another program.
        if file is None:
            raise
        return Trust(file, None, unread)


def context_of(trust: Trust) -> ssl.SSLContext:
    """A TLS context that trusts these certificates; at least one variable must be set.

    Raises:
        SettingsError: `invalid_certificates`, if they cannot be read.
    """
    try:
        return ssl.create_default_context(cafile=trust.cafile, capath=trust.capath)
    except (OSError, ValueError):
        raise _unusable("SSL_CERT_FILE", "a file that holds no certificate in PEM form") from None


def is_this_machine(host: str) -> bool:
    """Whether a host is a name or address of this machine itself."""
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    address = _address(name)
    return address is not None and (address.is_loopback or address.is_unspecified)


def is_exempt(host: str, port: int, exceptions: str) -> bool:
    """Whether NO_PROXY names a host, in any of the forms that people write.

    A name covers its subdomains, with or without a leading `.` or `*.`. Addresses, ranges and prefixes (`10.`) cover
    addresses. A port, if one is given, must be the same.
    """
    address = _address(host)
    for entry in _SEPARATORS.split(exceptions):
        wanted = plainly(entry).lower()
        if "://" in wanted:
            wanted = wanted.partition("://")[2].partition("/")[0]
        if wanted == "*" or (wanted == "<local>" and "." not in host and address is None):
            return True
        try:
            bare = re.sub(r"\[([^\]]*)\](?=/|$)", r"\1", wanted)
            found = ipaddress.ip_network(bare, strict=False)
        except ValueError:
            pass
        else:
            if address is not None and (address in found or address == _address(bare)):
                return True
            continue
        parts = _EXCEPTION.fullmatch(wanted)
        if not parts or (parts["port"] and int(parts["port"]) != port):
            continue
        name = parts["name"].strip("[]")
        if address is not None:
            if (name.endswith(".") and host.startswith(name.lstrip("."))) or address == _address(name):
                return True
            if not name.endswith("*"):
                continue
        name = name.removeprefix("*.").strip(".")
        if name and (host == name or host.endswith("." + name) or ("*" in name and fnmatchcase(host, name))):
            return True
    return False


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(host)
        # ::ffff:10.1.2.3 is 10.1.2.3.
        return getattr(address, "ipv4_mapped", None) or address
    except ValueError:
        pass
    try:
        # Short forms that the system's resolver reads as addresses, such as 127.1 and 0x7f000001.
        return ipaddress.IPv4Address(socket.inet_aton(host)) if re.fullmatch(r"[0-9a-fx.]*\d", host) else None
    except OSError:
        return None


def _proxy(variable: str, value: str) -> Proxy:
    scheme, separator, rest = value.partition("://")
    if not separator:
        scheme, rest = "http", value
    spoken = PROXY_SCHEMES.get(scheme.lower())
    if spoken is None:
        raise _invalid_proxy(variable, f" scheme {scheme[:20]!r}" if scheme.isalnum() else "")
    login, at, address = rest.rstrip("/").rpartition("@")
    user, _, password = login.partition(":")
    try:
        parts = urlsplit(f"//{address}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise _invalid_proxy(variable) from None
    if not host or not (host.isascii() and host.isprintable()) or any(mark in address for mark in "/?#\\ "):
        raise _invalid_proxy(variable)
    default = {"http": 80, "https": 443, "socks5": 1080}[spoken]
    credentials = (unquote(user), unquote(password)) if at else None
    return Proxy(variable, spoken, host, port or default, credentials)


def _invalid_proxy(variable: str, what: str = "") -> SettingsError:
    return SettingsError(
        f"Invalid proxy{what} in {variable}. Valid: http://host:port, https://host:port or socks5://host:port, with a "
        "percent-encoded user:password@ before the host if the proxy needs it.",
        next_step=f"The operator should correct {variable}, or remove it, {RESTART}",
        code="invalid_proxy",
    )


def _certificate_file(variables: NetworkVariables) -> str | None:
    value = variables.value("SSL_CERT_FILE")
    if not value:
        return None
    path = expanded(value, "SSL_CERT_FILE")
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise _unusable("SSL_CERT_FILE", "something that is not a regular file")
        with path.open("rb") as file:
            if not file.read(1):
                raise _unusable("SSL_CERT_FILE", "an empty file")
    except FileNotFoundError:
        raise _unusable("SSL_CERT_FILE", "a file that does not exist") from None
    except (OSError, ValueError):
        raise _unusable("SSL_CERT_FILE", "a file that cannot be read") from None
    return str(path)


def _certificate_folders(variables: NetworkVariables) -> str | None:
    value = variables.value("SSL_CERT_DIR")
    if not value:
        return None
    folders = [expanded(part, "SSL_CERT_DIR") for part in value.split(os.pathsep) if part]
    # OpenSSL ignores a folder that does not exist, and would then accept no certificate at all.
    try:
        there = [folder for folder in folders if folder.is_dir()]
        usable = any(_HASHED.fullmatch(path.name) for folder in there for path in folder.iterdir())
    except (OSError, ValueError):
        raise _unusable("SSL_CERT_DIR", "a folder that cannot be read") from None
    if not there:
        raise _unusable("SSL_CERT_DIR", "a folder that does not exist")
    if not usable:
        raise _unusable("SSL_CERT_DIR", "a folder without hashed certificates (`openssl rehash` makes them)")
    return os.pathsep.join(map(str, folders))


def _unusable(variable: str, what: str) -> SettingsError:
    kind = "a folder of trusted certificates" if variable == "SSL_CERT_DIR" else "a PEM file of trusted certificates"
    return SettingsError(
        f"{variable} names {what}, so the platform's certificate cannot be checked.",
        next_step=f"The operator should set {variable} to {kind}, or remove it, {RESTART}",
        code="invalid_certificates",
    )
