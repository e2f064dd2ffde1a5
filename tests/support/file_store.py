"""A platform's files service and its file store on another origin, in memory, that behave as a test says."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

from tests.support.recording import Recorder, Reply, Request

SIGNATURE = "X-Amz-Expires=86400&X-Amz-Signature=c0ffee00c0ffee00c0ffee00c0ffee00"
SDF = b"pose\n  1  0\n$$$$\n" * 1000
BIG = bytes(range(256)) * 24_000
"""Six MB: twelve pieces."""
NO_SUCH_KEY = b'<?xml version="1.0"?><Error><Code>NoSuchKey</Code></Error>'
DENIED = b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>'


def uploaded(request: Request) -> bytes:
    """The file in a body with one form field."""
    boundary = request.headers["content-type"].partition("boundary=")[2].encode()
    part = request.content.removeprefix(b"--" + boundary + b"\r\n").removesuffix(b"\r\n--" + boundary + b"--\r\n")
    return part.partition(b"\r\n\r\n")[2]


class FileStore:
    """Files by path, served by `platform` (with the token) and `store` (by signed links).

    `spoil` may replace the reply to a request; it is given the reply that there would be.
    """

    def __init__(self, platform: Recorder, store: Recorder) -> None:
        self.files: dict[str, bytes] = {}
        self.takes_ranges = True
        self.has_etags = True
        self.platform = platform
        self.store = store
        self.spoil: Callable[[Request, Reply], Reply] = lambda _, reply: reply
        platform.handler = self.serve
        store.handler = self.serve

    def serve(self, request: Request) -> Reply:
        return self.spoil(request, self._reply(request))

    def _reply(self, request: Request) -> Reply:
        if request.path.startswith("/bucket/"):
            return self._in_store(request, unquote(request.path.removeprefix("/bucket/")))
        path = unquote(request.path.removeprefix("/files/"))
        org, _, rest = path.partition("/")
        path = f"protected/{rest}" if org == "protected" else rest
        if path.startswith("signedUrl/"):
            key = request.path.partition("/signedUrl/")[2]
            return Reply({"url": f"{self.store.url}/bucket/{key}?{SIGNATURE}"})
        if path.startswith("directory/"):
            return self._listing(request, path.removeprefix("directory/"))
        match request.method:
            case "PUT":
                self.files[path] = uploaded(request)
                return Reply({"eTag": self.etag(path)} if self.has_etags else {})
            case "POST":
                self.files[path] = b"fetched"
                return Reply({"eTag": self.etag(path)})
            case "DELETE":
                return Reply(self.files.pop(path, None) is not None)
        return self._content(request, path)

    def _in_store(self, request: Request, path: str) -> Reply:
        if "authorization" in request.headers or request.query != SIGNATURE:
            return Reply(DENIED, 403)
        if request.method == "PUT":
            self.files[path] = request.content
            return Reply(headers={"etag": self.etag(path)} if self.has_etags else {})
        return self._content(request, path)

    def _content(self, request: Request, path: str) -> Reply:
        if path not in self.files:
            return Reply(b"" if request.method == "HEAD" else NO_SUCH_KEY, 404)
        content = self.files[path]
        headers = {"content-type": "application/octet-stream"}
        headers |= {"etag": self.etag(path)} if self.has_etags else {}
        if request.method == "HEAD":
            return Reply(headers={**headers, "content-length": str(len(content))})
        wanted = re.fullmatch(r"bytes=(\d+)-", request.headers.get("range", ""))
        same = request.headers.get("if-range") in (None, self.etag(path))
        if wanted is None or not self.takes_ranges or not same:
            return Reply(content, headers=headers)
        start = int(wanted[1])
        span = f"bytes {start}-{len(content) - 1}/{len(content)}"
        return Reply(content[start:], 206, {**headers, "content-range": span})

    def _listing(self, request: Request, folder: str) -> Reply:
        found = sorted(path for path in self.files if path.startswith(folder))
        start = int(request.params.get("continuation-token", "0"))
        size = int(request.params.get("max-keys", "1000"))
        rows = [{"Key": path, "Size": len(self.files[path]), "ETag": self.etag(path)} for path in found]
        more = start + size < len(rows)
        return Reply({"data": rows[start : start + size], "continuationToken": str(start + size) if more else None})

    def etag(self, path: str) -> str:
        return f'"{hashlib.md5(self.files[path]).hexdigest()}"'


def failing(times: int, spoilt: Callable[[Reply], Reply], method: str = "GET") -> Callable[[Request, Reply], Reply]:
    """Spoil so many replies of the file store."""
    left = [times]

    def spoil(request: Request, reply: Reply) -> Reply:
        if not request.path.startswith("/bucket/") or request.method != method or not left[0]:
            return reply
        left[0] -= 1
        return spoilt(reply)

    return spoil


def failing_at_gateway(spoilt: Callable[[Reply], Reply]) -> Callable[[Request, Reply], Reply]:
    """Spoil the gateway's first reply."""
    left = [1]
    return lambda _, reply: spoilt(reply) if left and left.pop() else reply


def cut(reply: Reply) -> Reply:
    return replace(reply, fault="half")


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
