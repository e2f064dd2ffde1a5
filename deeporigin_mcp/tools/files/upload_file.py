"""Uploading one file: from the user's machine, or from a text; elsewhere by a signed link."""

from __future__ import annotations

import io
import re
from collections.abc import Awaitable, Callable
from typing import IO, Annotated, Literal

from anyio.to_thread import run_sync
from pydantic import Field

from deeporigin_mcp.errors import ArgumentError, NotFoundError, PlatformError
from deeporigin_mcp.platform import DeepOriginClient
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.platform.transport.remote_paths import writable_path
from deeporigin_mcp.platform.transport.signed_links import AGAIN
from deeporigin_mcp.tools.responses import steps
from deeporigin_mcp.tools.responses.views import View
from deeporigin_mcp.tools.runtime.state import BackgroundWork, ServerState, ToolContext, state_of

MAX_TEXT_BYTES = 64 * 1024
WAIT_SECONDS = 40.0
"""How long a call waits for the end of an upload, which then goes on without it."""
FOLDER = "uploads"
"""Where files go whose destination is not given."""

_NOT_SHAREABLE = re.compile(r"[#?%]+")
_PLAIN_LINK = re.compile(r"https?://[A-Za-z0-9._~:/?&=%+,;@!*()\[\]-]+")
"""What may stand in a command between single quotes, in every shell."""

SECRET = "The link in it is a secret: for 24 h whoever has it can write this file. Show it to nobody but the user."


class UploadView(View):
    """An upload; `size` is in bytes."""

    path: str
    status: Literal["uploaded", "already_there", "uploading", "link_made"]
    size: int | None = None
    command: str | None = None
    warning: str | None = None
    next_step: str | None = None


async def upload_file(
    ctx: ToolContext,
    path: Annotated[str | None, Field(description="The user's file, e.g. hits.sdf.")] = None,
    text: Annotated[str | None, Field(description="The content itself instead, up to 64 KB.")] = None,
    destination: Annotated[
        str | None, Field(description=f"Path on the platform. Default: {FOLDER}/ and the file's name.")
    ] = None,
) -> UploadView:
    """Upload one file to the platform as it is; the path it returns goes into a run's inputs.

    Never overwrites; the same content again changes nothing. Free.
    """
    state = state_of(ctx)
    if path is not None and text is not None:
        raise _invalid("Invalid arguments: both path and text are given.", "Give one of them.")
    if text is not None:
        content = text.encode("utf-8", "replace")
        if len(content) > MAX_TEXT_BYTES:
            raise ArgumentError(
                f"text has {len(content):,} bytes. Valid: at most {MAX_TEXT_BYTES:,}.",
                next_step="Save it as a file and give its path."
                if state.settings.is_local
                else f"{steps.call('upload_file', destination=destination or f'{FOLDER}/NAME')} gives a link for it.",
                code="file_too_large",
                outcome="nothing_changed",
            )
        target = _target(destination, "")
        return await _joined(
            state, f"{target}\0{hash(content)}", target, lambda: _put(state, io.BytesIO(content), target)
        )
    if path is None:
        if state.settings.is_local:
            raise _invalid("Missing path: there is nothing to upload.", "Give path or text.")
        return await _by_link(state, _target(destination, ""))
    from deeporigin_mcp.tools.files.folders import folders_of

    folders = await folders_of(ctx, path)
    # Refused here, not in the background, while the arguments can be corrected.
    with folders.open(path) as found:
        target = _target(destination, found.name)

    async def upload() -> UploadView:
        with folders.open(path) as found:
            return await _put(state, found.file, target)

    again = steps.call("upload_file", path=path, **({"destination": destination} if destination else {}))
    return await _joined(state, f"{target}\0{path}", target, upload, again)


def _target(destination: str | None, name: str) -> str:
    """The path on the platform, as the platform will call it.

    Raises:
        ArgumentError: `invalid_path` or `path_reserved`.
    """
    given = (destination or "").strip()
    if not given and not name:
        raise _invalid("Missing destination: the file's path on the platform.", f"Give one such as {FOLDER}/hits.csv.")
    if not given or given.endswith("/"):
        # Other clients of the platform would cut such a name.
        given = f"{given or FOLDER + '/'}{_NOT_SHAREABLE.sub('_', name)}"
    return writable_path(given)


async def _joined(
    state: ServerState, key: str, target: str, work: Callable[[], Awaitable[UploadView]], again: str = ""
) -> UploadView:
    """The outcome of an upload that this call starts, or that an earlier one did; or that it goes on."""
    state.forget_ended_transfers()
    running = state.transfers.pop(key, None)
    if running is not None and running.has_ended:
        # Raises what it ended with. What it uploaded is compared with the file as it is now.
        await running.result(state, 0)
        running = None
    running = state.transfers[key] = running or BackgroundWork(work)
    try:
        _, view = await running.result(state, WAIT_SECONDS)
    finally:
        if running.has_ended:
            state.transfers.pop(key, None)
    if isinstance(view, UploadView):
        return view
    return UploadView(
        path=one_line(target),
        status="uploading",
        next_step=f"It goes on. {again or 'The same call'} shows whether it has ended.",
    )


async def _put(state: ServerState, content: IO[bytes], target: str) -> UploadView:
    """Upload it, unless the platform has it already.

    Raises:
        ArgumentError: `file_exists`, if it has another file there.
    """
    client = state.client
    try:
        # The platform overwrites: whether the path is free is only known until the next upload to it.
        async with state.key_lock(f"upload\0{target}"):
            done = await client.files.upload(content, target, name=target.rpartition("/")[2])
    except NotFoundError as error:
        raise PlatformError(
            f"The platform accepted the upload of {one_line(target, 200)!r} and does not have the file.",
            next_step=AGAIN,
            code="upload_incomplete",
            request_id=error.request_id,
        ) from None
    except ArgumentError as error:
        if error.code != "file_exists":
            raise
        size = await _same(client, content, target)
        state.know_file(target)
        return UploadView(path=one_line(target), status="already_there", size=size)
    state.know_file(target)
    return UploadView(path=one_line(target), status="uploaded", size=done.size)


async def _same(client: DeepOriginClient, content: IO[bytes], target: str) -> int:
    """The size of the file that is there, if it has this content."""
    there = await client.files.stat(target)
    size, md5 = await run_sync(_size_and_md5, content)
    from deeporigin_mcp.platform.records.files import md5_in

    stored = md5_in(there.etag)
    if there.size == size and stored == md5:
        return size
    differs = (
        "whose content cannot be compared"
        if there.size == size and not stored
        else "with other content" + ("" if there.size in (None, size) else f" ({there.size:,} bytes, not {size:,})")
    )
    raise ArgumentError(
        f"The platform already has a file {one_line(target, 200)!r} {differs}, and it was left as it is.",
        next_step="Choose another destination.",
        code="file_exists",
        outcome="nothing_changed",
    )


def _size_and_md5(content: IO[bytes]) -> tuple[int, str]:
    import hashlib

    content.seek(0)
    digest = hashlib.md5(usedforsecurity=False)
    size = 0
    while piece := content.read(1024 * 1024):
        digest.update(piece)
        size += len(piece)
    return size, digest.hexdigest()


async def _by_link(state: ServerState, target: str) -> UploadView:
    """A signed link with which the caller uploads from wherever the file is."""
    if await state.client.files.exists(target):
        raise ArgumentError(
            f"The platform already has a file {one_line(target, 200)!r}, and no link was made that could overwrite it.",
            next_step="Choose another destination.",
            code="file_exists",
            outcome="nothing_changed",
        )
    link = (await state.client.files.signed_link(target, upload=True)).reveal()
    if not _PLAIN_LINK.fullmatch(link):
        # It would stand in a command that somebody runs.
        raise PlatformError(
            "The files service returned a signed link that cannot be used in a command.",
            next_step=AGAIN,
            code="invalid_signed_link",
        )
    listed = steps.call("list_files", path=target)
    return UploadView(
        path=one_line(target),
        status="link_made",
        command=f"curl -f -H 'Content-Type: application/octet-stream' -T FILE '{link}'",
        warning=SECRET,
        next_step="Run the command where the file is, with its path for FILE, or have the user run it. "
        f"Then {listed} shows it.",
    )


def _invalid(message: str, next_step: str) -> ArgumentError:
    return ArgumentError(message, next_step=next_step, outcome="nothing_changed")
