"""Run by tests/test_settings.py in a process of its own: what the official client makes of environments and homes.

Reads a list of `{"environ": …, "home": …}` from stdin and writes a list of what each resolved to.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import deeporigin.config
import deeporigin.platform.client as official

VARIABLES = ("DO_AUTH_TOKEN", "DO_ORG_KEY", "DO_PROJECT_ID", "DO_ENV", "DO_BASE_URL")


def resolve(environ: dict[str, str], home: str) -> dict[str, Any]:
    for name in VARIABLES:
        os.environ.pop(name, None)
    os.environ.update(environ, HOME=home)
    config = Path(home) / ".deeporigin" / "config.json"
    deeporigin.config.CONFIG_JSON_LOCATION = config
    existed = config.exists()
    try:
        client = official.DeepOriginClient()
        client.check_token()
        return {
            "base_url": client.base_url.rstrip("/"),
            "org_key": client._org_key or "",
            "token": client.token,
            "project_id": client.project_id or "",
        }
    except Exception as error:  # noqa: BLE001 - any refusal is an answer here
        return {"error": type(error).__name__}
    finally:
        official.DeepOriginClient._instances.clear()
        if not existed:
            config.unlink(missing_ok=True)


def main() -> None:
    # No request is made; one TLS context for each client would be most of the time.
    official.httpx = SimpleNamespace(Client=lambda **_: SimpleNamespace(headers={}, close=lambda: None))
    cases = json.load(sys.stdin)
    json.dump([resolve(**case) for case in cases], sys.stdout)


if __name__ == "__main__":
    main()
