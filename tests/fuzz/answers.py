"""A platform whose responses are damaged on the way: values, whole bodies, statuses and headers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from random import Random
from typing import Any

import httpx

from deeporigin_mcp.simulator import Platform, create_app

ID_IN_PATH = re.compile(r"/executions/([^/:]+)(:\w+)?$")
DEEP = re.compile(r'"@deep (\d+)@"')
HUGE = '"@1e999@"'
NOT_JSON = (
    b"",
    b"null",
    b"[]",
    b"{}",
    b'""',
    b"0",
    b"true",
    b"NaN",
    b"<html><body>502 Bad Gateway</body></html>",
    b"{",
    b"\xff\xfe\x00",
    b"\xef\xbb\xbf{}",
    b"[" * 5_000,
    b'{"data":' * 3_000,
    b'{"data":[[]]}',
    b'{"data":null}',
    b'{"data":{}}',
    b"1" * 5_000,
)
STATUSES = (201, 202, 204, 301, 400, 401, 402, 403, 404, 408, 409, 413, 418, 422, 429, 500, 502, 503, 504)
WORDS = (
    "",
    " ",
    "\n",
    "\x00",
    "\x1b[2J\x1b[31mred",
    "a\u2028b\u2029c\u0085d",
    "\u202egnp.exe\u2066",
    "zero\u200bwidth\ufeff",
    "half \ud800",
    "\udc00\ud83d",
    "\U000e0041\U000e0042",
    "x" * 100_000,
    '{"a": 1}',
    "[1]",
    "null",
    "%s %(name)s {} {0}",
    "| a | b |",
    "status: Completed\nprice: 0 USD",
    "<script>alert(1)</script>",
    "../../executions",
    "Completed",
    "Succeeded",
    "Quoted",
    "Running",
    "running",
    "Failed",
    "0",
    "-1",
    "1e999",
    "NaN",
    "9" * 400,
    "0.1",
    "1/0",
    "2026-13-45T99:99:99Z",
    "9999-12-31T23:59:59.999Z",
    "0001-01-01T00:00:00+23:59",
    "-",
    "é" * 3_000,
    "\\u0000",
    "$ref",
    "#/",
    "(a+)+$",
    "[",
    "(?P<a",
)


def odd_value(random: Random, secret: str) -> Any:
    """Any value that JSON has, and some that only look like it."""
    simple: list[Callable[[], Any]] = [
        lambda: random.choice((None, True, False, [], {}, 0, -1, 1, 0.0, -0.0, 1.5)),
        lambda: random.choice((2**31, 2**53 + 1, 2**64, -(2**64), 10**30, 10**400, 1e308, -1e308, 5e-324)),
        lambda: random.choice((float("nan"), float("inf"), float("-inf"), HUGE.strip('"'))),
        lambda: random.choice(WORDS),
        lambda: "".join(chr(random.choice((random.randrange(128), random.randrange(0x10FFFF)))) for _ in range(20)),
        lambda: random.choice((secret, secret[20:90], f"debug: {{'Authorization': 'Bearer {secret}'}}")),
        lambda: deep(random.choice((20, 300, 900, 3_000)), random.choice(([], {}))),
        lambda: [odd_value(random, secret) for _ in range(random.randrange(4))],
        lambda: {random.choice(WORDS): odd_value(random, secret) for _ in range(random.randrange(4))},
        lambda: [random.choice((None, {}, [], "x", 1))] * random.choice((2, 200, 3_000)),
    ]
    return random.choice(simple)()


def deep(levels: int, innermost: Any) -> Any:
    if levels > 200:
        return f"@deep {levels}@"
    value = innermost
    for level in range(levels):
        value = [value] if level % 3 else {"children": [value]}
    return value


def damaged(random: Random, value: Any, secret: str, seen: list[Any]) -> Any:
    """A copy with something wrong in it, anywhere.

    Args:
        seen: parts of earlier responses, which may stand in the place of others; gets parts of this one.
    """
    if random.random() < 0.2:
        seen[random.randrange(len(seen))] = value
    if isinstance(value, dict) and value and random.random() < 0.85:
        key = random.choice([*value])
        return {**value, key: damaged(random, value[key], secret, seen)}
    if isinstance(value, list) and value and random.random() < 0.85:
        index = random.randrange(len(value))
        return [*value[:index], damaged(random, value[index], secret, seen), *value[index + 1 :]]
    if isinstance(value, dict) and random.random() < 0.5:
        if value and random.random() < 0.5:
            gone = random.choice([*value])
            return {key: entry for key, entry in value.items() if key != gone}
        return {**value, random.choice(WORDS): odd_value(random, secret)}
    if isinstance(value, list) and value and random.random() < 0.5:
        return random.choice(
            (value * 3, [value], [*value, odd_value(random, secret)], value[0], dict(enumerate(value)))
        )
    return random.choice(
        (
            lambda: odd_value(random, secret),
            lambda: random.choice(seen),
            lambda: [value],
            lambda: {"a": value},
            lambda: "text instead",
        )
    )()


def body_of(value: Any) -> bytes:
    """JSON, with what Python's own writer refuses put in."""
    text = json.dumps(value, default=str).replace(HUGE, "1e999")
    return DEEP.sub(lambda found: "[" * int(found[1]) + "]" * int(found[1]), text).encode()


class DamagedPlatform(httpx.AsyncBaseTransport):
    """The simulated platform, in this process, behind something that damages what it says.

    Args:
        share: how many of its responses are damaged, from 0 to 1.
    """

    def __init__(self, platform: Platform, random: Random, *, secret: str, share: float) -> None:
        self._inner = httpx.ASGITransport(app=create_app(platform), raise_app_exceptions=False)
        self._platform = platform
        self._random = random
        self._secret = secret
        self.share = share
        self.named: set[str] = set()
        """Ids that may be started now: those that the call names."""
        self._created: set[str] = set()
        self._seen: list[Any] = ["", 0] * 20
        self.delivered: dict[str, Any] = {}
        """The record of an execution that was delivered last, by the id in it."""
        self.unapproved: list[str] = []
        """Requests that started something although the record delivered last does not say that it is free."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        known = {*self._platform.executions}
        self._watch(request, path)
        if path.startswith("/sse/"):
            return httpx.Response(404, content=b"{}")
        answer = await self._inner.handle_async_request(request)
        content = await answer.aread()
        status, headers = answer.status_code, {"content-type": "application/json"}
        self._created |= {*self._platform.executions} - known
        if self._random.random() < self.share:
            status, headers, content = self._damaged(status, headers, content)
        if status < 300:
            records = {record["executionId"]: record for record in records_in(content)}
            self.delivered |= records
            if request.method == "POST" and path.endswith("/executions"):
                # Whatever id it is told for what it has just made, as long as it is nobody else's.
                self._created |= {*records} - known
        return httpx.Response(status, headers=headers, content=content, request=request)

    def _damaged(self, status: int, headers: dict[str, str], content: bytes) -> tuple[int, dict[str, str], bytes]:
        random = self._random
        kind = random.random()
        if kind < 0.75:
            try:
                value = json.loads(content)
            except (ValueError, RecursionError):
                value = None
            rows = value.get("data") if isinstance(value, dict) else value
            if isinstance(rows, list) and random.random() < 0.4:
                # Each row, so that the one that matters is among them.
                rows[:] = [damaged(random, row, self._secret, self._seen) for row in rows[:100]]
            else:
                for _ in range(random.choice((1, 1, 2, 5))):
                    value = damaged(random, value, self._secret, self._seen)
            content = body_of(value)
        elif kind < 0.83:
            content = random.choice(NOT_JSON)
        elif kind < 0.88:
            content = content[: random.randrange(len(content) + 1)]
        elif kind < 0.93 and content:
            changed = bytearray(content)
            changed[random.randrange(len(changed))] = random.randrange(256)
            content = bytes(changed)
        else:
            status = random.choice(STATUSES)
            said = {random.choice(("message", "error", "detail", "errors", "code")): odd_value(random, self._secret)}
            content = random.choice((content, body_of(said), self._secret.encode(), *NOT_JSON[:3]))
        if random.random() < 0.1:
            name = random.choice(("retry-after", "x-request-id", "content-type", "date", "traceparent"))
            headers[name] = random.choice(
                ("", "-5", "0", "9" * 300, "nan", "x" * 5_000, self._secret, "a\tb", "Thu, 99 Foo")
            )
        return status, headers, content

    def _watch(self, request: httpx.Request, path: str) -> None:
        found = ID_IN_PATH.search(path)
        if request.method == "PATCH" and found and found[2] == ":confirm":
            if found[1] not in self.named | self._created or not is_free(self.delivered.get(found[1])):
                self.unapproved.append(f"PATCH {path}: {str(self.delivered.get(found[1]))[:300]}")
        elif request.method == "POST" and path.endswith("/executions") and path.startswith("/tools/"):
            amount = json.loads(request.content).get("approveAmount")
            if amount != -1:
                self.unapproved.append(f"POST {path}: approveAmount {amount!r}")


def records_in(content: bytes) -> list[dict[str, Any]]:
    """The records of executions in a response: itself, or its rows."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return []
    rows = value.get("data") if isinstance(value, dict) else value
    found = [value, *rows] if isinstance(rows, list) else [value]
    return [record for record in found if isinstance(record, dict) and isinstance(record.get("executionId"), str)]


def is_free(record: Any) -> bool:
    """Whether a record says in full that its execution is a quote of 0 USD; read here, not by the server's code."""
    if not isinstance(record, dict) or record.get("status") != "Quoted":
        return False
    quotation = record.get("quotationResult")
    if not isinstance(quotation, dict) or quotation.get("failedQuotations") or quotation.get("anyFailed"):
        return False
    rows = quotation.get("successfulQuotations")
    if not isinstance(rows, list) or not rows:
        return False
    return all(isinstance(row, dict) and _is_zero(row.get("priceTotal")) for row in rows)


def _is_zero(price: Any) -> bool:
    try:
        return not isinstance(price, bool) and isinstance(price, int | float | str) and float(price) == 0
    except ValueError:
        return False
