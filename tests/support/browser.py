"""The user's browser and terminal, as a server on the same machine meets them."""

from __future__ import annotations

import html
import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import anyio
import httpx

from tests.support.processes import TIMEOUT_SECONDS


@dataclass
class Browser:
    """A program named by BROWSER. It passes on what it was opened with; the test reads and presses in its place.

    Args:
        folder: where its files are; below it the user's runtime directory.
    """

    folder: Path
    pipe: int
    """Where the program says what it was opened with. Open for writing too, so that no program waits for a reader."""
    _said: bytes = b""

    @property
    def runtime(self) -> Path:
        return self.folder / "runtime"

    @property
    def questions(self) -> Path:
        return self.runtime / "deeporigin-mcp"

    @property
    def program(self) -> Path:
        return self.folder / "browser"

    @classmethod
    def made(cls, folder: Path) -> Browser:
        os.mkfifo(folder / "opened")
        found = cls(folder, os.open(folder / "opened", os.O_RDWR | os.O_NONBLOCK))
        found.runtime.mkdir(mode=0o700)
        # The command line and the environment are what other processes of the user can see.
        found.program.write_text(f'#!/bin/sh\nenv > "{folder}/environment"\necho "$@" > "{folder}/opened"\n')
        found.program.chmod(0o755)
        return found

    def variables(self) -> dict[str, str]:
        return {"BROWSER": str(self.program), "XDG_RUNTIME_DIR": str(self.runtime)}

    async def opened(self) -> str:
        """The command line of the next start."""
        with anyio.fail_after(TIMEOUT_SECONDS):
            while b"\n" not in self._said:
                await anyio.wait_readable(self.pipe)
                self._said += os.read(self.pipe, 65536)
        line, _, self._said = self._said.partition(b"\n")
        return line.decode()

    async def page(self) -> PageInBrowser:
        """The page to which the next start leads."""
        path = anyio.Path(unquote(urlsplit(await self.opened()).path))
        redirect = await path.read_text(encoding="utf-8")
        found = re.search(r'url=([^"]+)"', redirect)
        assert found is not None, redirect
        return await PageInBrowser.at(html.unescape(found[1]))


@dataclass
class PageInBrowser:
    """A page that was read, and its form."""

    address: str
    response: httpx.Response

    @classmethod
    async def at(cls, address: str, **headers: str) -> PageInBrowser:
        async with httpx.AsyncClient(trust_env=False) as client:
            return cls(address, await client.get(address, headers=headers))

    @property
    def origin(self) -> str:
        return self.address[: self.address.index("/", len("http://"))]

    @property
    def title(self) -> str:
        return title_of(self.response)

    @property
    def token(self) -> str:
        found = re.search(r'name="token" value="([^"]+)"', self.response.text)
        assert found is not None, self.response.text
        return found[1]

    async def press(
        self, answer: str, *, token: str | None = None, address: str = "", **headers: str
    ) -> httpx.Response:
        """Send the form, with the Origin that a browser sends unless another is given; an empty header is left out."""
        fields = {"token": self.token if token is None else token, "answer": answer}
        given = {"Origin": self.origin} | {name.replace("_", "-"): value for name, value in headers.items()}
        async with httpx.AsyncClient(trust_env=False) as client:
            sent = {name: value for name, value in given.items() if value}
            return await client.post(address or self.address, data=fields, headers=sent)


def title_of(response: httpx.Response) -> str:
    found = re.search(r"<h1>(.*)</h1>", response.text)
    assert found is not None, response.text
    return html.unescape(found[1])
