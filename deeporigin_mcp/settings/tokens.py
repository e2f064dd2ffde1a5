"""The claims of a token, and a token for the local simulator."""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from typing import Any, NamedTuple

from pydantic import SecretStr

from deeporigin_mcp.errors import CredentialError
from deeporigin_mcp.settings.addresses import ISSUER_DOMAIN
from deeporigin_mcp.settings.places import HOW_TO_AUTHENTICATE

_JWT = re.compile(r"[A-Za-z0-9_=-]+\.[A-Za-z0-9_=-]+\.[A-Za-z0-9_=-]*")
LOCAL_TOKEN_SECONDS = 365 * 24 * 3600


class TokenClaims(NamedTuple):
    """The claims of a JWT, read without checking the signature: the platform does that."""

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
            CredentialError: `invalid_token`; the message does not repeat the token.
        """
        try:
            # Checked in full: other characters could not be sent in a header.
            if not _JWT.fullmatch(token.get_secret_value()):
                raise ValueError
            encoded = token.get_secret_value().split(".")[1]
            payload = json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
            if not isinstance(payload, dict):
                raise ValueError
        except (ValueError, binascii.Error, RecursionError):
            raise CredentialError(
                "The Deep Origin token is not a JWT (three parts with dots between them).",
                next_step=HOW_TO_AUTHENTICATE,
                code="invalid_token",
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
