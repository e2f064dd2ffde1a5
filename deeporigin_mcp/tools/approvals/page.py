"""The approval page: one question, on an address of this machine that only the user's browser is given.

The page is plain HTML without scripts. A yes needs the address, which no response, log or process list shows, and the
form's own token from the page that is read there.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import hashlib
import hmac
import html
import importlib.resources
import logging
import os
import secrets
import socket
import string
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import anyio

from deeporigin_mcp.settings import environment_for_others, question_directories
from deeporigin_mcp.tools.approvals.pending import Answer, Outcome, Reply
from deeporigin_mcp.tools.approvals.question import NOTED, Question
from deeporigin_mcp.tools.approvals.waiting import private_directory

if TYPE_CHECKING:
    from anyio.abc import Process, TaskGroup, TaskStatus
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

logger = logging.getLogger("deeporigin_mcp.approvals")

WAY = "browser"
HOST = "127.0.0.1"
MAX_FORM_BYTES = 1_000
OUTCOME_SECONDS = 8.0
"""How long the browser waits, after a yes, to show whether the run has started."""
LINGER_SECONDS = 30.0
"""How long the page is still served after its question was closed, so that a late click is answered."""
OPENER_SECONDS = 5.0
"""How long the program that opens the browser may take before it counts as running."""
OPEN = """
import os, sys, webbrowser
name = getattr(webbrowser.get(), "name", "")
if name in ("www-browser", "links", "elinks", "lynx", "w3m") and not os.environ.get("BROWSER"):
    sys.exit("It needs a terminal.")
sys.exit(not webbrowser.open(sys.argv[1]))
"""

DECLINED = "Not started. Nothing is charged. You can close this page."
CLOSED = (
    "This question is closed: it was answered before, it was open for more than 10 minutes, or the quote has changed. "
    "Nothing was started by this page."
)
INVALID = "Nothing was started: this did not come from the page itself."


class Page:
    """One question on one address, until it is answered or closed.

    Args:
        is_open: whether an answer would count now. While the machine slept, nobody could close the question.
    """

    def __init__(self, question: Question, tasks: TaskGroup, is_open: Callable[[], bool]) -> None:
        self._question = question
        self._tasks = tasks
        self._is_open = is_open
        self._path = f"/{secrets.token_urlsafe(32)}"
        self._form_token = secrets.token_urlsafe(32)
        self._answered = anyio.Event()
        self._closed = anyio.Event()
        self._reply: Reply | None = None
        self._outcome = Outcome()
        self._socket = socket.socket()
        self._socket.bind((HOST, 0))
        self._origin = f"http://{HOST}:{self._socket.getsockname()[1]}"
        self._redirect: Path | None = None

    async def reply(self) -> Reply:
        """The person's answer. Cancelled, it closes the question."""
        try:
            await self._answered.wait()
        finally:
            self.close()
        return self._reply or Reply(Answer.NOBODY, "the approval page was closed")

    def close(self) -> None:
        """Close the question. The page is served for a moment longer."""
        self._closed.set()

    @property
    def _is_closed(self) -> bool:
        return self._closed.is_set() or not self._is_open()

    async def serve(self) -> None:
        """Serve until a moment after the question was closed. A page that cannot be served reaches nobody."""
        try:
            await self._serve()
        except Exception as error:  # noqa: BLE001 (it must not end the MCP server; a terminal can still be asked)
            logger.warning("An approval page cannot be served: %s", type(error).__name__)
        finally:
            self._answered.set()
            self._forget_redirect()
            self._socket.close()

    async def _serve(self) -> None:
        import uvicorn

        class Server(uvicorn.Server):
            @contextlib.contextmanager
            def capture_signals(self) -> Iterator[None]:
                # They belong to the process, not to a page.
                yield

        config = uvicorn.Config(
            self._app(), ws="none", lifespan="off", log_config=None, log_level="critical", access_log=False,
            server_header=False, proxy_headers=False, h11_max_incomplete_event_size=16_384, limit_concurrency=20,
        )  # fmt: skip
        server = Server(config)
        try:
            async with anyio.create_task_group() as tasks:

                async def stop() -> None:
                    await self._closed.wait()
                    await anyio.sleep(LINGER_SECONDS)
                    server.should_exit = True

                tasks.start_soon(stop)
                await server.serve([self._socket])
        finally:
            # Cancelled, uvicorn leaves them to the event loop, which takes the next socket of this number for theirs.
            for listener in getattr(server, "servers", ()):
                listener.close()

    async def open(self) -> bool:
        """Open it in the user's browser; False if that is known to have failed.

        A command line is visible to every process, so the browser is given a file that leads to the address. Only its
        owner can read it, and it is gone once the page was fetched.
        """
        try:
            self._redirect = await anyio.to_thread.run_sync(_redirect_to, f"{self._origin}{self._path}")
            process: Process = await self._tasks.start(_opener_of, self._redirect.as_uri())
        except OSError:
            self._forget_redirect()
            return False
        with anyio.move_on_after(OPENER_SECONDS):
            return await process.wait() == 0
        # Some commands end with the browser itself.
        return True

    def _forget_redirect(self) -> None:
        if self._redirect is not None:
            with contextlib.suppress(OSError):
                self._redirect.unlink(missing_ok=True)
            self._redirect = None

    def _app(self) -> Starlette:
        from starlette.applications import Starlette
        from starlette.routing import Route

        return Starlette(routes=[Route("/{path:path}", self._respond, methods=["GET", "HEAD", "POST"])])

    async def _respond(self, request: Request) -> Response:
        is_here = hmac.compare_digest(request.url.path.encode(), self._path.encode())
        # A name that resolves to this machine is not this address.
        if not is_here or request.headers.get("host") != self._origin.removeprefix("http://"):
            return _response(404, "Nothing here.")
        self._forget_redirect()
        if request.method != "POST":
            return self._page()
        if request.headers.get("origin") != self._origin:
            return _response(403, INVALID)
        form = await _form_of(request)
        if not hmac.compare_digest(form.get("token", "").encode(), self._form_token.encode()):
            return _response(403, INVALID)
        return await self._take(form.get("answer", ""))

    def _page(self) -> Response:
        if self._reply is not None or self._is_closed:
            return _response(200, self._outcome.text or CLOSED)
        return _response(200, self._question.title, _form(self._question, self._form_token))

    async def _take(self, answer: str) -> Response:
        # A second click gets the outcome of the first.
        if self._reply is None and not self._is_closed:
            is_yes = answer == "yes"
            self._reply = Reply(Answer.YES if is_yes else Answer.NO, WAY, outcome=self._outcome)
            self._outcome.text = NOTED if is_yes else DECLINED
            if not is_yes:
                self._outcome.known.set()
            self._answered.set()
        elif self._reply is None:
            return _response(409, CLOSED)
        with anyio.move_on_after(OUTCOME_SECONDS):
            await self._outcome.known.wait()
        return _response(200, self._outcome.text)


@contextlib.asynccontextmanager
async def served(question: Question, tasks: TaskGroup, is_open: Callable[[], bool]) -> AsyncIterator[Page]:
    """A page that is served; when this ends its question is closed."""
    page = Page(question, tasks, is_open)
    tasks.start_soon(page.serve)
    try:
        yield page
    finally:
        page.close()


async def _opener_of(address: str, *, task_status: TaskStatus[Process]) -> None:
    """The program that opens the browser. It ends with this task; the browser does not."""
    async with await anyio.open_process(
        [sys.executable, "-I", "-c", OPEN, address],
        stdin=-3, stdout=-3, stderr=-3, env=environment_for_others(), start_new_session=True,
    ) as process:  # fmt: skip
        task_status.started(process)
        await process.wait()


def _redirect_to(address: str) -> Path:
    """A file for its owner only that leads a browser to an address."""
    directory = private_directory(question_directories()) or Path(tempfile.mkdtemp(prefix="deeporigin-mcp-"))
    path = directory / f"{secrets.token_urlsafe(16)}.html"
    quoted = html.escape(address)
    text = (
        f'<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0;url={quoted}">'
        f'<title>Deep Origin</title><a href="{quoted}">Open the question</a>'
    )
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    return path


async def _form_of(request: Request) -> dict[str, str]:
    """The fields of a small form; empty if it is a large one or another kind of body."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_FORM_BYTES:
            return {}
    try:
        return {name: values[0] for name, values in parse_qs(body.decode("ascii"), max_num_fields=5).items()}
    except ValueError:
        return {}


def _form(question: Question, token: str) -> str:
    facts = "".join(f"<div><dt>{_shown(name)}</dt><dd>{_shown(value)}</dd></div>" for name, value in question.facts)
    items = "".join(f"<li><span>{_shown(name)}</span><b>{_shown(price)}</b></li>" for name, price in question.items)
    listed = f'<ul class="items" tabindex="0" aria-label="Price">{items}</ul>' if items else ""
    return (
        f"<dl>{facts}</dl>{listed}<p>{_shown(question.consequence)}</p>"
        f'<form method="post"><input type="hidden" name="token" value="{token}">'
        f'<button name="answer" value="yes">Start for {_shown(question.price)}</button>'
        '<button name="answer" value="no">Don\u2019t</button></form>'
    )


def _shown(text: str) -> str:
    return html.escape(text)


@functools.cache
def _template() -> tuple[string.Template, str]:
    """The page, and the hash of its style sheet for the policy."""
    text = (importlib.resources.files("deeporigin_mcp") / "apps" / "approval.html").read_text(encoding="utf-8")
    style = text[text.index("<style>") + len("<style>") : text.index("</style>")]
    return string.Template(text), base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()


def _response(status: int, title: str, body: str = "") -> Response:
    from starlette.responses import Response

    template, style = _template()
    text = template.substitute(
        page_title=_shown("Deep Origin: start a run?" if body else "Deep Origin"), title=_shown(title), body=body
    )
    policy = (
        f"default-src 'none'; style-src 'sha256-{style}'; img-src data:; form-action 'self'; frame-ancestors 'none'; "
        "base-uri 'none'"
    )
    headers = {
        "Content-Security-Policy": policy,
        "X-Frame-Options": "DENY",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        # The strictest with which a form still says where it comes from.
        "Referrer-Policy": "same-origin",
        "Cache-Control": "no-store",
    }
    return Response(text, status, headers, media_type="text/html")
