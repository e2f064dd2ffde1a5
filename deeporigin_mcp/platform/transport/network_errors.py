"""Network failures as errors that name the cause, the environment variable that it is about, and the remedy.

A library's own text is never repeated: it may hold addresses or the credentials of a proxy.
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
"""Verification codes of OpenSSL. All others are about the issuer."""


@contextlib.contextmanager
def network_errors(what: str, timeout_seconds: float, route: Route, trust: Trust) -> Iterator[None]:
    """Raise network failures of the block as `NetworkError`.

    Args:
        what: the request in words, for messages.
        timeout_seconds: for messages.

    Raises:
        NetworkError: `code` says which failure; `nothing_sent` whether the request certainly did not arrive.
    """
    import httpx

    try:
        yield
    except (httpx.ConnectTimeout, httpx.PoolTimeout):
        raise NetworkError(
            f"Timed out connecting to the platform for: {what}.",
            next_step=_check(route.proxy),
            nothing_sent=True,
            code="connect_timeout",
        ) from None
    except (httpx.TimeoutException, TimeoutError):
        raise NetworkError(
            f"Timed out after {timeout_seconds:g} s waiting for the platform's response to: {what}.",
            next_step=AGAIN,
            code="response_timeout",
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
        # The host name cannot be encoded for DNS.
        raise _not_connected(what, OSError("unknown name"), route, trust) from None
    except _no_socks(route.proxy):
        raise NetworkError(
            f"No connection to the platform for: {what}. {_named(route.proxy)} is not a SOCKS 5 proxy.",
            next_step=f"The operator should correct that variable (http://host:port for an HTTP proxy), {RESTART}",
            nothing_sent=True,
            is_lasting=True,
            code="not_a_socks_proxy",
        ) from None


def _no_socks(proxy: Proxy | None) -> tuple[type[Exception], ...]:
    """What httpx lets through where the other side is not a SOCKS proxy."""
    if proxy is None or proxy.scheme != "socks5":
        return ()
    from socksio import SOCKSError

    return SOCKSError, AssertionError


def _named(proxy: Proxy | None) -> str:
    return f"The proxy in {proxy.variable}" if proxy else "The server"


def _broken(what: str, error: Exception) -> NetworkError:
    return NetworkError(
        f"The connection to the platform was lost during: {what} ({type(error).__name__}).",
        next_step=AGAIN,
        code="connection_lost",
    )


def _check(proxy: Proxy | None) -> str:
    return f"The operator should check the proxy in {proxy.variable}; then call again." if proxy else AGAIN


def _not_connected(what: str, error: Exception, route: Route, trust: Trust) -> NetworkError:
    failed = f"No connection to the platform for: {what}."
    proxy = route.proxy
    found = _tls_error_in(error)
    text = str(error).lower()
    if isinstance(found, ssl.SSLCertVerificationError) or (found is None and "certificate" in text):
        reason, step = _distrusted(getattr(found, "verify_code", 0), trust)
        if proxy and proxy.scheme == "https":
            reason += f" It is the platform's, or that of the proxy in {proxy.variable}."
        return NetworkError(
            f"{failed} {reason}",
            next_step=step,
            nothing_sent=True,
            is_lasting=True,
            code="certificate_rejected",
        )
    if found is not None or "ssl" in text or "tls" in text:
        step = "The operator should check the address (DO_BASE_URL): https:// is for a port that speaks TLS."
        if proxy and proxy.scheme == "https":
            step = f"The operator should write {proxy.variable} with http://, unless the proxy itself speaks TLS."
        return NetworkError(f"{failed} The TLS handshake failed.", next_step=step, nothing_sent=True, code="tls_failed")
    if proxy:
        # What the proxy itself responds is another error; here the proxy cannot be reached.
        it = _named(proxy)
        return NetworkError(
            f"{failed} {_cause(it, text)}", next_step=_check(proxy), nothing_sent=True, code="proxy_unreachable"
        )
    return NetworkError(
        f"{failed} {_cause('The platform', text)}", next_step=AGAIN, nothing_sent=True, code="unreachable"
    )


def _cause(it: str, text: str) -> str:
    if "name" in text and ("resol" in text or "known" in text):
        return f"{it} has a host name that DNS does not know."
    return f"{it} refused the connection or cannot be reached."


def _distrusted(code: int, trust: Trust) -> tuple[str, str]:
    """What is wrong with a certificate, and what to do."""
    if code in (_EXPIRED, _NOT_YET_VALID):
        reason = "The certificate has expired." if code == _EXPIRED else "The certificate is not valid yet."
        return reason, "The operator should check the clock of this machine, and whether SSL_CERT_FILE is up to date."
    if code in _ANOTHER_NAME:
        return (
            "The certificate is for another host name.",
            "The operator should check the address (DO_BASE_URL) and the proxy, if any.",
        )
    reason = "The certificate's issuer is not trusted."
    if trust.variables:
        step = f"The operator should see that {trust.variables} holds the issuer's certificate"
    else:
        step = "If the network inspects TLS, the operator should set SSL_CERT_FILE to a PEM file with its certificates"
        if trust.unread:
            step += f", such as the file in {trust.unread}, which is not read"
    return reason, f"{step}, {RESTART}"


def _tls_error_in(error: BaseException | None) -> ssl.SSLError | None:
    """The TLS library's error in the chain of causes."""
    for _ in range(10):
        if error is None or isinstance(error, ssl.SSLError):
            return error
        error = error.__cause__ or error.__context__
    return None


def _refused_by(proxy: Proxy, what: str, said: str) -> NetworkError:
    failed = f"No connection to the platform for: {what}. The proxy in {proxy.variable}"
    status = re.match(r"\d{3}\b", said)
    wants_credentials = said.startswith("407") or "password" in said.lower() or "NO AUTHENTICATION" in said
    if wants_credentials:
        form = f"{proxy.scheme}://user:password@host:port"
        return NetworkError(
            f"{failed} {'rejects its credentials' if proxy.credentials else 'requires credentials'}"
            f"{' (HTTP 407)' if status else ''}.",
            next_step=f"The operator should {'correct' if proxy.credentials else 'set'} the user name and password in "
            f"{proxy.variable} ({form}, special characters percent-encoded), {RESTART}",
            nothing_sent=True,
            is_lasting=True,
            code="proxy_credentials",
        )
    failure = f"returned HTTP {status[0]} instead of connecting to it" if status else "could not connect to it"
    return NetworkError(
        f"{failed} {failure}.",
        next_step=f"The operator should ask whoever runs the proxy, or name the platform in NO_PROXY, {RESTART}",
        nothing_sent=True,
        # A 5xx may pass; what a proxy forbids, it forbids again.
        is_lasting=said.startswith("4"),
        code="proxy_failed",
    )
