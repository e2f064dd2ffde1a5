"""Files of the platform: rows of a listing, and the headers of one file (molecules-and-files 7)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deeporigin_mcp.platform.records.sanitizing import word
from deeporigin_mcp.platform.records.values import Json, text

_MD5 = re.compile(r'"?([0-9a-fA-F]{32})"?')


@dataclass(frozen=True)
class RemoteFile:
    """A file of the organisation. What the platform does not say is None or empty."""

    path: str
    size: int | None = None
    """Bytes."""
    etag: str = ""
    modified_at: str = ""
    content_type: str = ""

    @property
    def name(self) -> str:
        return self.path.rstrip("/").rpartition("/")[2]

    @property
    def is_folder(self) -> bool:
        return self.path.endswith("/")


def listed_file(row: Json) -> RemoteFile:
    """A row of a listing: `{Key, Size, ETag, LastModified}`."""
    return RemoteFile(
        path=text(row.get("Key") or row.get("key")),
        size=_bytes(row.get("Size")),
        etag=word(row.get("ETag")),
        modified_at=word(row.get("LastModified")),
    )


def described_file(path: str, headers: Mapping[str, str]) -> RemoteFile:
    """A file by the headers of its response, names in lower case."""
    return RemoteFile(
        path=path,
        size=None if headers.get("content-encoding") else _bytes(headers.get("content-length")),
        etag=word(headers.get("etag")),
        modified_at=word(headers.get("last-modified")),
        content_type=word(headers.get("content-type")),
    )


def md5_in(etag: Any) -> str:
    """The MD5 of the content that an ETag may be, lower case; empty for one of a file that was sent in parts."""
    found = _MD5.fullmatch(text(etag))
    return found[1].lower() if found else ""


def _bytes(value: Any) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value[:18])
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
