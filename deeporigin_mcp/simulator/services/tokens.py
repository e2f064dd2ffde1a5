"""Bearer tokens: three base64url parts, read but never verified (design, section 7)."""

import base64
import binascii
import json
import time
from dataclasses import dataclass
from typing import Any

DEFAULT_SUBJECT = "5d9b0c1e-7a44-4f0e-9c55-3f1f0f6f2a10"


class InvalidTokenError(Exception):
    """The Authorization header carries no usable token."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who a token speaks for. `orgs` None means every organisation of the simulator."""

    subject: str
    orgs: frozenset[str] | None


def make_token(
    *,
    subject: str = DEFAULT_SUBJECT,
    orgs: list[str] | None = None,
    expires_in_seconds: float = 365 * 24 * 3600.0,
    issuer: str = "https://local.deeporigin.invalid/realms/simulator",
    email: str = "ada@deeporigin.invalid",
    name: str = "Ada Simulated",
) -> str:
    """An unsigned JWT for tests and demonstrations.

    Args:
        subject: The user id (`sub`).
        orgs: Organisation keys that the token is limited to; None leaves the claim out.
        expires_in_seconds: Seconds from now, real time; negative makes an expired token.
        issuer: `iss`; the official client infers its environment from it.
        email: `email` claim.
        name: `name` claim.
    """
    now = int(time.time())
    payload: dict[str, Any] = {
        "exp": now + int(expires_in_seconds),
        "iat": now,
        "iss": issuer,
        "sub": subject,
        "typ": "Bearer",
        "email": email,
        "name": name,
    }
    if orgs is not None:
        payload["orgs"] = orgs
    return f"{_encode({'alg': 'none', 'typ': 'JWT'})}.{_encode(payload)}.{_encode({})}"


def read_token(authorization: str | None, *, now: float) -> Caller:
    """The caller behind an Authorization header.

    Args:
        authorization: The header's value, None when absent.
        now: Real seconds since the epoch, to judge `exp` by.

    Raises:
        InvalidTokenError: Missing, malformed or expired.
    """
    scheme, _, token = (authorization or "").partition(" ")
    parts = token.strip().split(".")
    if scheme.lower() != "bearer" or len(parts) != 3:
        raise InvalidTokenError("no bearer token of three parts")
    try:
        payload = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError) as error:
        raise InvalidTokenError("the token's payload is not JSON") from error
    if not isinstance(payload, dict):
        raise InvalidTokenError("the token's payload is not an object")
    expires = payload.get("exp")
    if isinstance(expires, int | float) and expires < now:
        raise InvalidTokenError("the token is expired")
    orgs = payload.get("orgs")
    return Caller(
        subject=str(payload.get("sub") or "anonymous"),
        orgs=frozenset(map(str, orgs)) if isinstance(orgs, list) else None,
    )


def _encode(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part, separators=(",", ":")).encode()).rstrip(b"=").decode()
