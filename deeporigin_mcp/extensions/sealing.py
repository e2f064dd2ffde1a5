"""Handles that carry their own content: readable by their owner, made only by whoever holds the key.

A handle is `base64url(HMAC-SHA256(key, packed) ‖ packed)` without padding, where `packed` is the deflated content.
Nothing is stored, so every process with the same key can open it, and without the key it can be neither guessed
nor changed.
"""

from __future__ import annotations

import base64
import hmac
import zlib

MAX_CHARACTERS = 4096
"""Over HTTP a handle travels in a header; servers and proxies commonly take 8 KB for all headers together."""
TAG_BYTES = 32


def seal(key: bytes, content: bytes) -> str | None:
    """A handle of at most `MAX_CHARACTERS` characters `[A-Za-z0-9_-]`; None if the content is too long for one."""
    packed = zlib.compress(content, 9)
    handle = _encode(_tag(key, packed) + packed)
    return handle if len(handle) <= MAX_CHARACTERS else None


def unseal(key: bytes, handle: str) -> bytes | None:
    """The content of a handle that was sealed with this key; None for anything else."""
    if len(handle) > MAX_CHARACTERS:
        return None
    try:
        raw = base64.b64decode(handle + "=" * (-len(handle) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return None
    tag, packed = raw[:TAG_BYTES], raw[TAG_BYTES:]
    # Base64 can write the same bytes in more than one way; only the way of `seal` counts.
    if _encode(raw) != handle or not hmac.compare_digest(tag, _tag(key, packed)):
        return None
    # Only now, as a stranger's content could be made to unpack into gigabytes.
    return zlib.decompress(packed)


def _tag(key: bytes, packed: bytes) -> bytes:
    return hmac.digest(key, packed, "sha256")


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
