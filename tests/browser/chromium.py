"""The browser: which one, and how it is kept from every connection but those to this machine."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import AsyncIterator
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
"""Where it is looked for, on the path."""
FOREIGN_SITE = "foreign.test"
"""A host name that leads to this machine in this browser, as a rebound name of an attacker's would."""
UNUSED = ("AutofillServerCommunication", "MediaRouter", "NetworkTimeServiceQuerying", "OptimizationHints", "Translate")
PATIENCE_MS = 60_000
"""Far more than a page takes: drawing in 3D without a graphics processor is slow on a busy machine."""
FLAGS = (
    # It draws without a GPU and inside a container.
    "--no-sandbox",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
    "--disable-dev-shm-usage",
    # It speaks to this machine only: every other name is unknown, and no proxy would look it up instead.
    f"--host-resolver-rules=MAP {FOREIGN_SITE} 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
    "--no-proxy-server",
    # And it does nothing by itself.
    "--disable-background-networking",
    "--disable-breakpad",
    "--disable-client-side-phishing-detection",
    "--disable-component-extensions-with-background-pages",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    f"--disable-features={','.join(UNUSED)}",
    "--disable-sync",
    "--metrics-recording-only",
    "--no-first-run",
    "--no-pings",
    "--password-store=basic",
)


def executable() -> str | None:
    """The path of Chromium; None if there is none."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@contextlib.asynccontextmanager
async def running_chromium() -> AsyncIterator[Any]:
    """A headless Chromium, as Playwright's `Browser`, until the block is left."""
    from playwright.async_api import async_playwright

    async with async_playwright() as driver:
        browser = await driver.chromium.launch(
            executable_path=executable(),
            args=[*FLAGS],
            env={name: value for name, value in os.environ.items() if "proxy" not in name.lower()},
        )
        try:
            yield browser
        finally:
            await browser.close()
