"""How much memory the bodies of requests may take, and which are dropped when it is too much."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message, Receive, Scope, Send

from deeporigin_mcp.http.bodies import BYTES_OF_A_VALUE, Bodies, Body, NoRoomError, TooLargeError
from deeporigin_mcp.http.guard import Guard
from deeporigin_mcp.http.names import Names

pytestmark = pytest.mark.anyio

KNOWN = ("ada", lambda: True)
UNKNOWN = ("eve", lambda: False)
ANONYMOUS = ("", lambda: False)


def bodies(**limits: int) -> Bodies:
    return Bodies(**{"max_body_bytes": 40, "max_held_bytes": 100, "max_held_bytes_each": 80} | limits)


async def test_the_largest_of_an_unknown_caller_is_dropped() -> None:
    account = bodies()
    ada, eve, anonymous, late = Body(*KNOWN), Body(*UNKNOWN), Body(*ANONYMOUS), Body("bob", lambda: False)
    account.add(ada, b"a" * 40)
    account.add(eve, b"e" * 30)
    account.add(anonymous, b"s" * 20)
    account.add(late, b"l" * 15)
    assert [body.dropped.cancel_called for body in (ada, eve, anonymous, late)] == [False, True, False, False]
    assert account.held == 75
    with pytest.raises(NoRoomError):
        account.add(eve, b"e")
    assert account.complete(ada) == b"a" * 40


async def test_the_largest_is_not_taken_if_it_is_the_one_that_comes() -> None:
    account = bodies()
    small = [Body(f"caller {number}", lambda: False) for number in range(9)]
    for body in small:
        account.add(body, b"x" * 10)
    large = Body(*UNKNOWN)
    with pytest.raises(NoRoomError):
        account.add(large, b"x" * 11)
    account.add(Body(*KNOWN), b"x" * 11)
    assert sum(body.dropped.cancel_called for body in small) == 1


async def test_what_has_arrived_makes_room_for_nobody_until_its_request_ends() -> None:
    account = bodies()
    whole = [Body(f"caller {number}", lambda: False) for number in range(4)]
    for body in whole[:2]:
        account.add(body, b"x" * 40)
        account.complete(body)
    account.add(whole[2], b"x" * 20)
    account.complete(whole[2])
    with pytest.raises(NoRoomError):
        account.add(Body(*KNOWN), b"x")
    account.release(whole[0])
    account.release(whole[0])
    assert account.held == 60
    account.add(Body(*KNOWN), b"x" * 40)


async def test_one_caller_has_a_share_and_not_more() -> None:
    account = bodies()
    first, second, third = (Body(*KNOWN) for _ in range(3))
    account.add(first, b"x" * 40)
    account.add(second, b"x" * 39)
    account.add(third, b"x" * 2)
    assert (first.dropped.cancel_called, second.dropped.cancel_called) == (True, False)
    # All without a token share one share.
    anonymouss = [Body(*ANONYMOUS) for _ in range(5)]
    other = bodies(max_held_bytes_each=30)
    for body in anonymouss:
        other.add(body, b"x" * 9)
    assert other.held <= 30
    other.add(Body(*UNKNOWN), b"x" * 30)


async def test_what_takes_more_as_objects_than_as_text_counts_as_what_it_takes() -> None:
    account = Bodies(max_body_bytes=10_000, max_held_bytes=4_000, max_held_bytes_each=2_000)
    for content in (b"[" * 30, b"[]," * 20, b'{"a":' * 30, b"1," * 30):
        body = Body(*KNOWN)
        account.add(body, content)
        with pytest.raises(TooLargeError):
            account.complete(body)
        account.release(body)
    plain = Body(*KNOWN)
    account.add(plain, b'{"a": [1, 2]}' + b" " * 100)
    account.complete(plain)
    assert account.held == 113 + 3 * BYTES_OF_A_VALUE


callers = st.sampled_from([KNOWN, UNKNOWN, ANONYMOUS, ("bob", lambda: False)])


@given(st.lists(st.tuples(callers, st.lists(st.integers(0, 45), max_size=3), st.booleans()), max_size=20))
async def test_the_account_is_never_overdrawn_and_ends_at_nothing(
    sent: list[tuple[tuple[str, Callable[[], bool]], list[int], bool]],
) -> None:
    account = bodies()
    all_of_them = []
    for caller, parts, is_whole in sent:
        body = Body(*caller)
        all_of_them.append(body)
        try:
            for part in parts:
                account.add(body, b"x" * part)
            if is_whole:
                account.complete(body)
        except (NoRoomError, TooLargeError):
            account.release(body)
        assert 0 <= account.held <= 100
        assert account.held == sum(each.held for each in all_of_them)
    for body in all_of_them:
        account.release(body)
    assert account.held == 0


# As requests


class Client:
    """One request to a guard, part by part; `status` once there is a response."""

    def __init__(self, guard: Guard, headers: list[tuple[bytes, bytes]] | None = None) -> None:
        self._guard = guard
        self._headers = headers or []
        self._send, self._receive = anyio.create_memory_object_stream[Message](100)
        self.status = 0

    async def __call__(self) -> None:
        scope: Scope = {
            "type": "http",
            "method": "POST",
            "path": "/mcp",
            "headers": [(b"host", b"localhost"), *self._headers],
        }
        with self._send, self._receive:
            await self._guard(scope, self._receive.receive, self._answer)

    async def _answer(self, message: Message) -> None:
        self.status = message.get("status", self.status)

    def sends(self, body: bytes, *, more: bool) -> None:
        self._send.send_nowait({"type": "http.request", "body": body, "more_body": more})


async def reads(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def guard(**limits: Any) -> Guard:
    account = bodies(**limits)

    def caller_of(headers: Any) -> Any:
        return {"ada": KNOWN, "eve": UNKNOWN}.get(headers.get("x-do-auth-token", ""), ANONYMOUS)

    return Guard(reads, "/mcp", Names(), bodies=account, caller_of=caller_of)


async def test_half_sent_bodies_are_dropped_with_a_response() -> None:
    served = guard()
    half = [Client(served) for _ in range(9)]
    ada = Client(served, [(b"x-do-auth-token", b"ada")])
    async with anyio.create_task_group() as tasks:
        for client in half:
            tasks.start_soon(client)
            client.sends(b"x" * 39, more=True)
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(ada)
        ada.sends(b"x" * 40, more=False)
        await anyio.wait_all_tasks_blocked()
        assert ada.status == 200
        assert {client.status for client in half} == {0, 503}
        for client in half:
            if not client.status:
                client.sends(b"", more=False)
    assert sum(client.status == 200 for client in half) >= 1
    assert served._bodies.held == 0


@pytest.mark.parametrize(
    ("length", "parts", "status"),
    [
        (b"41", [], 413),
        (b"40", [b"x" * 40, b"x"], 413),
        (b"no", [b"x"], 400),
        (b"-1", [b"x"], 400),
        (b"9" * 5000, [], 400),
    ],
)
async def test_a_length_that_cannot_be_is_refused(length: bytes, parts: list[bytes], status: int) -> None:
    client = Client(guard(), [(b"content-length", length)])
    for part in parts:
        client.sends(part, more=True)
    with anyio.fail_after(20):
        await client()
    assert client.status == status


async def test_a_client_that_leaves_gives_back_what_it_held() -> None:
    served = guard()
    client = Client(served)
    client.sends(b"x" * 40, more=True)
    client._send.send_nowait({"type": "http.disconnect"})
    await client()
    assert (client.status, served._bodies.held, served._under_way) == (0, 0, 0)
