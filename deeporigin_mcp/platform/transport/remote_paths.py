"""Paths of the files service: cleaned, checked, and as segments of an address (molecules-and-files 7.2)."""

from __future__ import annotations

import re
from urllib.parse import quote

from deeporigin_mcp.errors import ArgumentError
from deeporigin_mcp.platform.transport.scope import Scope

PROTECTED = "protected/"
"""Files below it belong to the platform, and have an address without an organisation."""
WRITTEN_BY_THE_PLATFORM = ("entities/", "tool-runs/", PROTECTED)
"""Canonical files: rows of molecules and results point at them."""
MAX_CHARACTERS = 1024
_RECORD = re.compile(r"#record-\d+$")
_NOT_SHAREABLE = re.compile(r"[#?%\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_SAFE = "!$&'()*+,;=:@~"
"""Left as they are in a segment, as the official client does."""


def cleaned(path: str) -> str:
    r"""A path as the platform stores it: `/` for `\`, no leading, double or `.` segments, no `#record-<n>`.

    Raises:
        ArgumentError: a `..` segment, a control character, or too long; code `invalid_path`.
    """
    plain = _RECORD.sub("", path.replace("\\", "/"))
    parts = [part for part in plain.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise _invalid(path, "It must not contain '..'.")
    if re.search(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]", plain) or len(plain) > MAX_CHARACTERS:
        raise _invalid(path, f"Valid: printable characters, at most {MAX_CHARACTERS:,}.")
    return "/".join(parts) + ("/" if parts and plain.endswith("/") else "")


def file_path(path: str) -> str:
    """`cleaned`, and refused if it is empty or names a folder."""
    found = cleaned(path)
    if not found or found.endswith("/"):
        raise _invalid(path, "Give the path of a file, as a listing or a result returned it.")
    return found


def writable_path(path: str) -> str:
    """`file_path` for a file to be written or deleted.

    Raises:
        ArgumentError: also for `#`, `?` and `%`, which other clients would cut off or decode (`invalid_path`), and for
            paths that only the platform writes (`path_reserved`).
    """
    found = file_path(path)
    if path != _RECORD.sub("", path) or _NOT_SHAREABLE.search(found):
        raise _invalid(path, "A name must not contain '#', '?' or '%'.")
    if found.startswith(WRITTEN_BY_THE_PLATFORM):
        raise ArgumentError(
            f"Only the platform writes to {found.partition('/')[0]}/, so {found[:200]!r} is left as it is.",
            next_step="Choose another path.",
            code="path_reserved",
        )
    return found


def address(scope: Scope, path: str, verb: str = "") -> str:
    """The address of a cleaned path below the base URL, percent-encoded segment by segment.

    Args:
        verb: `directory` or `signedUrl`; empty for the file itself.
    """
    org, rest = scope.org_segment, path
    if path.startswith(PROTECTED):
        org, rest = "protected", path.removeprefix(PROTECTED)
    segments = "/".join(quote(part, safe=_SAFE) for part in rest.split("/"))
    return f"/files/{org}/{verb + '/' if verb else ''}{segments}"


def _invalid(path: str, valid: str) -> ArgumentError:
    return ArgumentError(f"Invalid path {path[:200]!r}. {valid}", code="invalid_path")
