"""`/files`, and the object store behind its signed links (molecules-and-files facts, section 7).

The store's links need no token, expire after a day of simulated time, and answer errors in XML. A link to read is
signed for a key that does not exist, too.
"""

import asyncio
import base64
import hashlib
import io
import re
import zipfile
from datetime import timedelta
from email.utils import format_datetime
from http.client import HTTPConnection, HTTPException
from urllib.parse import quote, urlsplit

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deeporigin_mcp.simulator.model.archive import fetched
from deeporigin_mcp.simulator.model.clock import instant_of, stamp
from deeporigin_mcp.simulator.model.molecules import helix_pdb
from deeporigin_mcp.simulator.services.requests import (
    answer,
    body_of,
    caller_of,
    organisation_of,
    platform_of,
    whole_number,
)
from deeporigin_mcp.simulator.state.files import File, delete_file, find_file, paths_below, put_file
from deeporigin_mcp.simulator.state.organisations import Organisation
from deeporigin_mcp.simulator.state.refusals import invalid, not_found, refused

LARGEST_PAGE = 1000
LINK_SECONDS = 24 * 3600
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
FETCH_TIMEOUT_SECONDS = 10
PROTECTED_FILES = frozenset({"panels/vol1/receptor.pdb"})


async def list_directory(request: Request) -> Response:
    """`{data: [{Key, Size, …}], continuationToken}`; a directory that nobody knows is empty."""
    platform, organisation, query = platform_of(request), organisation_of(request), request.query_params
    folder = _path(request).rstrip("/")
    start = f"{folder}/" if folder else ""
    keys = paths_below(platform, organisation, start + query.get("prefix", ""))
    if query.get("recursive") != "true":
        # The files of this level, and its folders.
        keys = sorted({start + "".join(key[len(start) :].partition("/")[:2]) for key in keys})
    size = whole_number(query, "max-keys", LARGEST_PAGE)
    if size < 1:
        raise invalid("Validation failed", [("max-keys", "must be >= 1")])
    try:
        after = base64.urlsafe_b64decode(query.get("continuation-token", "")).decode()
    except ValueError as error:
        raise invalid("Validation failed", [("continuation-token", "invalid token")]) from error
    rest = [key for key in keys if key > after]
    page = rest[: min(size, LARGEST_PAGE)]
    more = len(rest) > len(page)
    token = base64.urlsafe_b64encode(page[-1].encode()).decode() if more else None
    return answer({"data": [_listed(request, organisation, key) for key in page], "continuationToken": token})


def _listed(request: Request, organisation: Organisation, key: str) -> dict[str, object]:
    file = None if key.endswith("/") else find_file(platform_of(request), organisation, key)
    if file is None:
        return {"Key": key, "Size": 0}
    return {
        "Key": key,
        "Size": len(file.content),
        "ETag": f'"{file.etag}"',
        "LastModified": stamp(file.modified),
        "StorageClass": "STANDARD",
        "ChecksumAlgorithm": [],
    }


async def signed_url(request: Request) -> Response:
    """`{url, expires}`: a link to read, or with `upload=true` to write."""
    organisation, path = organisation_of(request), _path(request)
    if not path:
        raise not_found(f"Cannot GET {request.url.path}")
    method = "PUT" if request.query_params.get("upload") == "true" else "GET"
    now = platform_of(request).clock.now()
    until = stamp(now + timedelta(seconds=LINK_SECONDS))
    query = f"X-Amz-Expires={LINK_SECONDS}&X-Amz-Date={quote(stamp(now))}"
    signature = _signature(method, organisation.key, path, stamp(now))
    url = f"{request.base_url}store/{organisation.key}/{quote(path)}?{query}&X-Amz-Signature={signature}"
    return answer({"url": url, "expires": until, "s3": {"bucketKey": path}})


def _signature(method: str, org: str, path: str, date: str) -> str:
    return hashlib.sha256(f"simulated secret {method} {org} {path} {date}".encode()).hexdigest()


async def stored(request: Request) -> Response:
    """The object store: `GET`, with a range or without, and `PUT` of a signed link."""
    platform, query = platform_of(request), request.query_params
    org, path, date = request.path_params["org"], request.path_params["path"], query.get("X-Amz-Date", "")
    signed = _signature(request.method, org, path, date)
    signed_at = instant_of(date)
    if signed_at is None or signed != query.get("X-Amz-Signature"):
        return _store_error(403, "SignatureDoesNotMatch", "The request signature does not match.")
    if platform.clock.now() > signed_at + timedelta(seconds=LINK_SECONDS):
        return _store_error(403, "AccessDenied", "Request has expired")
    organisation = platform.organisations[org]
    if request.method == "PUT":
        if "content-length" not in request.headers:
            return _store_error(501, "NotImplemented", "A header you provided implies functionality not implemented.")
        file = put_file(platform, organisation, path, await request.body())
        return Response(headers={"etag": f'"{file.etag}"'})
    found = find_file(platform, organisation, path)
    if found is None:
        return _store_error(404, "NoSuchKey", "The specified key does not exist.")
    return _sent(found, request.headers.get("range"))


def _store_error(status: int, code: str, message: str) -> Response:
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>'
    return Response(text, status, media_type="application/xml")


def _sent(file: File, wanted: str | None = None) -> Response:
    """A file, or the range of bytes that is wanted of it."""
    headers = {
        "content-type": "application/octet-stream",
        "accept-ranges": "bytes",
        "etag": f'"{file.etag}"',
        "last-modified": format_datetime(file.modified, usegmt=True),
    }
    size = len(file.content)
    asked = re.fullmatch(r"bytes=(\d*)-(\d*)", wanted or "")
    if asked is None or not (asked[1] or asked[2]):
        return Response(file.content, headers=headers)
    first = int(asked[1]) if asked[1] else max(0, size - int(asked[2]))
    last = min(int(asked[2]), size - 1) if asked[1] and asked[2] else size - 1
    if first > last:
        error = _store_error(416, "InvalidRange", "The requested range is not satisfiable")
        error.headers["content-range"] = f"bytes */{size}"
        return error
    headers["content-range"] = f"bytes {first}-{last}/{size}"
    return Response(file.content[first : last + 1], 206, headers=headers)


async def put(request: Request) -> Response:
    """A multipart upload; what is stored are the bytes of its field `file`."""
    platform, organisation, path = platform_of(request), organisation_of(request), _path(request)
    async with request.form() as form:
        part = form.get("file")
        if not isinstance(part, UploadFile) or not path or path.endswith("/"):
            raise invalid("Validation failed", [("file", "required") if path else ("path", "required")])
        file = put_file(platform, organisation, path, await part.read())
    return answer({"eTag": file.etag, "key": path})


async def fetch(request: Request) -> Response:
    """`{url}`: the server fetches it. This one knows a few pages, and reaches only plain HTTP on its own machine."""
    platform, organisation, path = platform_of(request), organisation_of(request), _path(request)
    url = (await body_of(request)).get("url")
    parts = urlsplit(url) if isinstance(url, str) else urlsplit("")
    known = platform.web.get(str(url)) or fetched(str(url))
    if known is not None:
        return answer({"eTag": put_file(platform, organisation, path, known).etag, "key": path})
    if parts.scheme != "http" or parts.hostname not in LOOPBACK:
        raise refused(
            400,
            f"Cannot fetch {url!r}: the simulator fetches from http:// loopback addresses and some others",
        )
    try:
        content = await asyncio.to_thread(_fetched, parts.hostname, parts.port or 80, f"{parts.path}?{parts.query}")
    except (OSError, HTTPException) as error:
        raise refused(400, f"Cannot fetch {url!r}: {error}") from error
    return answer({"eTag": put_file(platform, organisation, path, content).etag, "key": path})


def _fetched(host: str, port: int, target: str) -> bytes:
    connection = HTTPConnection(host, port, timeout=FETCH_TIMEOUT_SECONDS)
    try:
        connection.request("GET", target.rstrip("?") or "/")
        response = connection.getresponse()
        if response.status != 200:
            raise HTTPException(f"the source answers {response.status}")
        return response.read()
    finally:
        connection.close()


async def read(request: Request) -> Response:
    """`GET` and `HEAD` of one file."""
    organisation, path = organisation_of(request), _path(request)
    file = find_file(platform_of(request), organisation, path)
    if file is None:
        raise not_found(f"File {path} not found")
    return _sent(file)


async def read_protected(request: Request) -> Response:
    """A file of the platform's own, for every caller."""
    caller_of(request)
    path = request.path_params["path"]
    if path not in PROTECTED_FILES:
        raise not_found(f"File {path} not found")
    return _sent(File(helix_pdb().encode(), platform_of(request).started))


async def delete(request: Request) -> Response:
    """`true`, or `false` when there was nothing, both 200; a path that ends in a slash deletes all below it."""
    platform, organisation, path = platform_of(request), organisation_of(request), _path(request)
    paths = paths_below(platform, organisation, path) if path.endswith("/") else [path]
    return answer(bool([gone for gone in paths if delete_file(platform, organisation, gone)]))


async def archive(request: Request) -> Response:
    """A directory as a ZIP, names relative to it."""
    platform, organisation = platform_of(request), organisation_of(request)
    start = f"{_path(request).rstrip('/')}/"
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in paths_below(platform, organisation, start):
            file = find_file(platform, organisation, path)
            if file is not None:
                packed.writestr(path.removeprefix(start), file.content)
    return Response(stream.getvalue(), media_type="application/zip")


def _path(request: Request) -> str:
    """The path of the file; one with an empty first segment misses the route, as on the platform."""
    path = str(request.path_params["path"])
    if path.startswith("/"):
        raise not_found(f"Cannot {request.method} {request.url.path}")
    return path


ROUTES = [
    Route("/files/protected/{path:path}", read_protected, methods=["GET", "HEAD"]),
    Route("/files/{org}/directory/{path:path}", list_directory, methods=["GET"]),
    Route("/files/{org}/signedUrl/{path:path}", signed_url, methods=["GET"]),
    Route("/files/{org}/zip/{path:path}", archive, methods=["GET"]),
    Route("/files/{org}/{path:path}", put, methods=["PUT"]),
    Route("/files/{org}/{path:path}", fetch, methods=["POST"]),
    Route("/files/{org}/{path:path}", delete, methods=["DELETE"]),
    Route("/files/{org}/{path:path}", read, methods=["GET", "HEAD"]),
    Route("/store/{org}/{path:path}", stored, methods=["GET", "HEAD", "PUT"]),
]
