"""The servers that tests put on a port of their own."""

from __future__ import annotations

import httpx
import pytest
from starlette.responses import PlainTextResponse

from tests.support.site import on_a_port

pytestmark = pytest.mark.anyio


async def failing(answers: list[str]) -> None:
    async with on_a_port(PlainTextResponse("here")) as address, httpx.AsyncClient(trust_env=False) as http:
        answers.append((await http.get(address, timeout=20)).text)
        raise LookupError


async def test_a_failure_beside_a_server_does_not_silence_the_next_one() -> None:
    answers: list[str] = []
    for _ in range(2):
        with pytest.raises(ExceptionGroup):
            await failing(answers)
    assert answers == ["here", "here"]
