"""What axe-core finds on a page, as strings that name the rule and the element."""

from __future__ import annotations

from typing import Any

from tests.support.node import npm_package

AXE = ("axe-core", "4.14.1")
SERIOUS = ("serious", "critical")


def install_axe() -> None:
    """Fetch it, so that no test has to.

    Raises:
        CannotRunError: npm could not install it.
    """
    npm_package(*AXE)


async def problems_of(frame: Any) -> list[str]:
    """Serious problems of what a Playwright page or frame shows."""
    script = (npm_package(*AXE) / "axe.min.js").read_text(encoding="utf-8")
    # By the debugger, which no policy of the page forbids.
    await frame.evaluate(script)
    found = await frame.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{each['id']}: {node['html']}"
        for each in found["violations"]
        if each["impact"] in SERIOUS
        for node in each["nodes"]
    ]
