"""What keeps a request from reaching the platform, in words: which variable it is about, and what to do.

Never in the words of a library, which may hold addresses, and never with a proxy's credentials.
"""

from __future__ import annotations

import contextlib
import re
import ssl
from collections.abc import Iterator

from deeporigin_mcp.errors import NetworkError
from deeporigin_mcp.settings.network import RESTART, Proxy, Route, Trust

AGAIN = "Check the network, then call again."

_EXPIRED, _NOT_YET_VALID = 10, 9
_ANOTHER_NAME = (62, 64)
"""Codes of OpenSSL: what is wrong with a certificate. All others are about who signed it."""


@contextlib.contextmanager
def network_errors(what: str, timeout_seconds: float, route: Route, trust: Trust) -> Iterator[None]:
    """Turn the failures of the network inside into this package's."""
    import httpx

    try:
        yield
    except (httpx.ConnectTimeout, httpx.PoolTimeout):
        raise NetworkError(
            f"No connection to the platform in time for: {what}.", next_step=_check(route.proxy), nothing_sent=True
        ) from None
    except (httpx.TimeoutException, TimeoutError):
        raise NetworkError(
            f"No complete answer from the platform within {timeout_seconds:g} s to: {what}.", next_step=AGAIN
        ) from None
    except httpx.ConnectError as error:
        raise _not_connected(what, error, route, trust) from None
    except httpx.ProxyError as error:
        if route.proxy is None:
            raise _broken(what, error) from None
        raise _refused_by(route.proxy, what, str(error)) from None
    except (httpx.NetworkError, httpx.ProtocolError, httpx.UnsupportedProtocol, httpx.DecodingError) as error:
        raise _broken(what, error) from None
    except UnicodeError:
        # A name that no resolver can be asked for.
        raise _not_connected(what, OSError("unknown name"), route, trust) from None
    except _no_socks(route.proxy):
        raise NetworkError(
            f"No connection to the platform for: {what}: {_named(route.proxy)} does not speak SOCKS 5.",
            next_step=f"The operator should correct that variable (http://host:port for an HTTP proxy), {RESTART}",
            nothing_sent=True,
            is_lasting=True,
        ) from None


def _no_socks(proxy: Proxy | None) -> tuple[type[Exception], ...]:
    """What httpx lets through where something else answers than a SOCKS proxy."""
    if proxy is None or proxy.scheme != "socks5":
        return ()
    from socksio import SOCKSError

    return SOCKSError, AssertionError


def _named(proxy: Proxy | None) -> str:
    return f"the proxy in {proxy.variable}" if proxy else "no proxy"


def _broken(what: str, error: Exception) -> NetworkError:
    return NetworkError(
        f"The connection to the platform broke during: {what} ({type(error).__name__}).", next_step=AGAIN
    )


def _check(proxy: Proxy | None) -> str:
    return f"The operator should check the proxy in {proxy.variable}; then call again." if proxy else AGAIN


def _not_connected(what: str, error: Exception, route: Route, trust: Trust) -> NetworkError:
    told = f"No connection to the platform for: {what}"
    proxy = route.proxy
    found = _tls_error_in(error)
    text = str(error).lower()
    if isinstance(found, ssl.SSLCertVerificationError) or (found is None and "certificate" in text):
        reason, step = _distrusted(getattr(found, "verify_code", 0), trust)
        if proxy and proxy.scheme == "https":
            reason += f"; it is the platform's, or that of the proxy in {proxy.variable}"
        return NetworkError(
            f"{told} (its certificate was not accepted: {reason}).",
            next_step=step,
            nothing_sent=True,
            is_lasting=True,
        )
    if found is not None or "ssl" in text or "tls" in text:
        step = "The operator should check the address (DO_BASE_URL): https:// is for a port that speaks TLS."
        if proxy and proxy.scheme == "https":
            step = f"The operator should write {proxy.variable} with http://, unless the proxy itself speaks TLS."
        return NetworkError(f"{told} (no TLS connection could be agreed on).", next_step=step, nothing_sent=True)
    if proxy:
        # Whatever the proxy itself says is another error: it is the proxy that cannot be reached.
        return NetworkError(
            f"{told}: the proxy in {proxy.variable} {_cause(text)}.", next_step=_check(proxy), nothing_sent=True
        )
    return NetworkError(f"{told} ({_cause(text, 'it', 'its name')}).", next_step=AGAIN, nothing_sent=True)


def _cause(text: str, it: str = "", name: str = "has a name that") -> str:
    if "name" in text and ("resol" in text or "known" in text):
        return f"{name} was not found"
    return f"{it} was refused or cannot be reached" if it else "refused the connection, or cannot be reached"


def _distrusted(code: int, trust: Trust) -> tuple[str, str]:
    """What is wrong with a certificate, and what to do."""
    if code in (_EXPIRED, _NOT_YET_VALID):
        reason = "it has expired" if code == _EXPIRED else "it is not valid yet"
        return reason, "The operator should check the clock of this machine, and whether SSL_CERT_FILE is up to date."
    if code in _ANOTHER_NAME:
        return "it is for another name", "The operator should check the address (DO_BASE_URL) and the proxy, if any."
    reason = "nobody who is trusted here has signed it"
    if trust.variables:
        step = f"The operator should see that {trust.variables} holds the certificate that signed it"
    else:
        step = "If the network inspects TLS, the operator should set SSL_CERT_FILE to a PEM file with its certificates"
        if trust.unread:
            step += f", such as the file in {trust.unread}, which is not read"
    return reason, f"{step}, {RESTART}"


def _tls_error_in(error: BaseException | None) -> ssl.SSLError | None:
    """The TLS library's own error, below what was made of it on the way."""
    for _ in range(10):
        if error is None or isinstance(error, ssl.SSLError):
            return error
        error = error.__cause__ or error.__context__
    return None


def _refused_by(proxy: Proxy, what: str, said: str) -> NetworkError:
    told = f"No connection to the platform for: {what}: the proxy in {proxy.variable}"
    status = re.match(r"\d{3}\b", said)
    wants_credentials = said.startswith("407") or "password" in said.lower() or "NO AUTHENTICATION" in said
    if wants_credentials:
        form = f"{proxy.scheme}://user:password@host:port"
        return NetworkError(
            f"{told} does not accept {'its credentials' if proxy.credentials else 'requests without credentials'}"
            f"{' (HTTP 407)' if status else ''}.",
            next_step=f"The operator should {'correct' if proxy.credentials else 'set'} the user name and password in "
            f"{proxy.variable} ({form}, special characters percent-encoded), {RESTART}",
            nothing_sent=True,
            is_lasting=True,
        )
    answered = f"answered HTTP {status[0]} instead of connecting to it" if status else "could not connect to it"
    return NetworkError(
        f"{told} {answered}.",
        next_step=f"The operator should ask whoever runs the proxy, or name the platform in NO_PROXY, {RESTART}",
        nothing_sent=True,
        # Gateways answer 5xx while something is amiss; what they forbid, they forbid again.
        is_lasting=said.startswith("4"),
    )
