"""A client that shows apps, as far as a page notices one: a real page that holds it in a sandboxed frame of another
origin, with the strictest policy that a host may set, and that speaks the host's side of MCP Apps.

What the page asks of the server goes to a real MCP client. Nothing leaves the machine: the two addresses are answered
here.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
from mcp import Client
from mcp_types import CallToolResult, TextResourceContents

from tests.browser.chromium import PATIENCE_MS

ORIGIN = "http://host.test/"
SANDBOX = "http://sandbox.test/view"
POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "media-src 'self' data:; connect-src 'none'"
)
"""What a host enforces for a page that asks for no domain."""
ALLOWED = ("GPU stall", "Download is disallowed")
"""What a browser says of itself: drawing without a graphics processor is slow; a sandbox may keep files from coming."""
HTML = Path(__file__).with_name("app_host.html")
SCREENS = {"inline": (760, 500), "phone": (390, 500), "full": (1280, 800)}
VARIABLES = {
    "light": {"--color-text-primary": "#1d1c16", "--color-background-primary": "#fffdf5", "--font-sans": "DejaVu Sans"},
    "dark": {"--color-text-primary": "#f2efe6", "--color-background-primary": "#221f1a", "--font-sans": "DejaVu Sans"},
}
"""What hosts set; the others are the page's own."""


def as_json(result: CallToolResult) -> dict[str, Any]:
    """The result as it goes over the wire."""
    return result.model_dump(mode="json", by_alias=True, exclude_none=True)


@dataclass
class AppHost:
    """The host, its frame, and what the page in it has asked for."""

    client: Client
    page: Any
    frame: Any
    """Playwright's frame that holds the page."""
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """Calls of tools that the page made, oldest first."""

    async def input(self, **arguments: Any) -> None:
        """Tell the page what its tool was called with."""
        await self.notify("tool-input", {"arguments": arguments})

    async def result(self, result: CallToolResult | dict[str, Any]) -> None:
        """Tell the page what came of that."""
        content = as_json(result) if isinstance(result, CallToolResult) else result
        await self.notify("tool-result", content)

    async def call(self, tool: str, **arguments: Any) -> None:
        """Call the tool as a model does, and show its result."""
        await self.input(**arguments)
        found = await self.client.call_tool(tool, arguments)
        assert isinstance(found, CallToolResult)
        await self.result(found)

    async def notify(self, method: str, params: dict[str, Any]) -> None:
        await self.page.evaluate(f"host.notify('ui/notifications/{method}', {json.dumps(params)})")

    async def messages(self, method: str) -> list[dict[str, Any]]:
        """The parameters of the page's messages with this method, of all that it has sent."""
        await self.page.evaluate("host.heardOut()")
        found: list[dict[str, Any]] = await self.page.evaluate(
            f"host.seen.filter((each) => each.method === '{method}')"
        )
        return [each.get("params", {}) for each in found]

    async def text(self, selector: str) -> str:
        found: str = await self.frame.inner_text(selector)
        return found

    async def until(self, selector: str, text: str) -> None:
        """Wait until this part of the page has this text in it."""
        await self.frame.locator(selector, has_text=text).first.wait_for()

    async def click(self, selector: str, count: int = 1) -> None:
        """Press it when nothing moves any more: what moves under a pointer that is down is not pressed."""
        await self.settled()
        await self.frame.click(selector, click_count=count)

    async def settled(self) -> None:
        """Wait until the page has the room that it asked for, and asks for no other."""
        heights = list[int]()
        with anyio.fail_after(PATIENCE_MS / 1000):
            while len(heights) < 4 or len({*heights[-4:]}) != 1:
                await self.frame.evaluate(
                    "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
                )
                heights += [await self.page.evaluate("host.heardOut()"), await self.frame.evaluate("innerHeight")]

    async def on_ground(self) -> None:
        """Give the page the ground of its host, which axe cannot see through the frame."""
        await self.frame.evaluate("document.documentElement.style.background = 'var(--ground)'")

    async def holds(self, condition: str) -> None:
        """Wait until this is so in the page, whose policy forbids what Playwright does for that."""
        look = f"const look = () => ({condition}) ? done() : requestAnimationFrame(look); look();"
        with anyio.fail_after(PATIENCE_MS / 1000):
            await self.frame.evaluate(f"new Promise((done) => {{ {look} }})")


@contextlib.asynccontextmanager
async def hosted(
    chromium: Any,
    client: Client,
    uri: str,
    *,
    screen: str = "inline",
    theme: str = "light",
    without: tuple[str, ...] = (),
    script: str = "",
    **context: Any,
) -> AsyncIterator[AppHost]:
    """The page with this address in a host; when it is left, nothing went wrong in it and it asked for nothing else.

    Args:
        without: capabilities that this host lacks.
        script: runs in the page before its own.
        context: more of what the host tells the page.
    """
    (resource,) = (await client.read_resource(uri)).contents
    assert isinstance(resource, TextResourceContents)
    tools = {tool.name: tool for tool in (await client.list_tools(cache_mode="bypass")).tools}
    width, height = SCREENS[screen]
    browser = await chromium.new_context(viewport={"width": width, "height": height}, color_scheme=theme)
    await browser.clock.install()
    page = await browser.new_page()
    page.set_default_timeout(PATIENCE_MS)
    asked = list[tuple[str, dict[str, Any]]]()
    wrong, requested = list[str](), list[str]()

    async def serve(route: Any) -> None:
        requested.append(route.request.url)
        if route.request.url == ORIGIN:
            await route.fulfill(body=HTML.read_text(encoding="utf-8"), content_type="text/html")
        else:
            await route.fulfill(
                body=resource.text, content_type="text/html", headers={"Content-Security-Policy": POLICY}
            )

    async def ask(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        asked.append((name, arguments))
        ui = (tools[name].meta or {}).get("ui", {})
        assert "app" in ui.get("visibility", ["model", "app"]), f"a page may not call {name}"
        result = await client.call_tool(name, arguments)
        assert isinstance(result, CallToolResult)
        return as_json(result)

    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
    page.on("dialog", lambda dialog: wrong.append(dialog.message))
    await page.route("**/*", serve)
    await page.expose_function("callTool", ask)
    told = {
        "context": {
            "theme": theme,
            "styles": {"variables": VARIABLES[theme]},
            "displayMode": "fullscreen" if screen == "full" else "inline",
            "availableDisplayModes": ["inline", "fullscreen"],
            "containerDimensions": {"width": width, "maxHeight": height},
            "locale": "en-GB",
            "timeZone": "UTC",
            **context,
        },
        "without": [*without],
        "destructive": [name for name, tool in tools.items() if tool.annotations and tool.annotations.destructive_hint],
    }
    await page.add_init_script(f"if (location.href === '{ORIGIN}') window.told = {json.dumps(told)}")
    if script:
        await page.add_init_script(script)
    await page.goto(ORIGIN)
    await page.wait_for_function("host.isReady")
    frame = next(each for each in page.frames if each.url == SANDBOX)
    yield AppHost(client, page, frame, asked)
    assert [line for line in wrong if not any(each in line for each in ALLOWED)] == []
    assert requested == [ORIGIN, SANDBOX]
    await browser.close()
