"""Presigned URLs of the file store: used without the token, and never shown."""

from __future__ import annotations

import logging
import re
from typing import Any
from urllib.parse import urlsplit

from deeporigin_mcp.errors import DeepOriginError, InvalidRequestError, NotFoundError, PlatformError
from deeporigin_mcp.platform.transport import tracing

AGAIN = "Call again. If it fails again, tell the user."
_CODE = re.compile(rb"<Code>\s*(\w{1,60})\s*</Code>")


class SignedLink:
    """A link with which anyone can read, or write, one file for 24 h. Its text and its representation hide it."""

    __slots__ = ("_url", "origin")

    def __init__(self, url: str, origin: str) -> None:
        self._url = url
        self.origin = origin
        """Scheme, host and port."""

    def reveal(self) -> str:
        """The link itself, a secret."""
        return self._url

    def __repr__(self) -> str:
        return f"SignedLink({self.origin})"


def signed_link(response: Any, base_url: str) -> SignedLink:
    """The link in the response of the files service; its host may be another than the platform's.

    Raises:
        PlatformError: there is none, or it is not https:// (http:// is for a platform that is http:// itself).
    """
    url = response.get("url") if isinstance(response, dict) else None
    try:
        parts = urlsplit(url if isinstance(url, str) else "")
        origin = f"{parts.scheme}://{parts.netloc}" if parts.hostname and parts.port != 0 else ""
    except ValueError:
        origin = ""
    is_allowed = parts_scheme(origin) == "https" or parts_scheme(origin) == parts_scheme(base_url) == "http"
    # With a user name in it, httpx would send credentials of its own.
    if not isinstance(url, str) or not is_allowed or "@" in origin:
        raise PlatformError(
            "The files service returned no usable signed link.",
            next_step=AGAIN,
            code="invalid_signed_link",
            request_id=tracing.count_unreadable(),
        )
    return SignedLink(url, origin)


def parts_scheme(url: str) -> str:
    return url.partition("://")[0]


def store_failure(status: int, body: bytes, what: str, request_id: str | None = None) -> DeepOriginError:
    """The error for a response of the file store with a status of 300 or more; its bodies are XML."""
    found = _CODE.search(body[:4000])
    code = found[1].decode() if found else ""
    text = f"The file store returned HTTP {status}{f' ({code})' if code else ''} for: {what}."
    if status == 404 or code in ("NoSuchKey", "NoSuchBucket"):
        return NotFoundError(
            text,
            next_step="Check the path: list the folder.",
            http_status=status,
            request_id=request_id,
            code="file_not_found",
        )
    if status in (401, 403):
        return PlatformError(
            text,
            next_step="Check that the file exists: list the folder. If it does, this token has no right to it.",
            http_status=status,
            request_id=request_id,
            code="signed_link_refused",
        )
    if status == 413 or code == "EntityTooLarge":
        return InvalidRequestError(
            text, next_step="Use a smaller file.", http_status=status, request_id=request_id, code="file_too_large"
        )
    if 400 <= status < 500 and status not in (408, 429):
        return InvalidRequestError(
            text, next_step=AGAIN, http_status=status, request_id=request_id, code="file_refused"
        )
    return PlatformError(text, next_step=AGAIN, http_status=status, request_id=request_id)


class _WithoutQuery(logging.Filter):
    """httpx logs each address; the query of a signed link is its secret."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                str(value).partition("?")[0] if type(value).__name__ == "URL" else value for value in record.args
            )
        return True


logging.getLogger("httpx").addFilter(_WithoutQuery())
