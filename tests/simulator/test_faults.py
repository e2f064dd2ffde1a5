"""Scheduled faults on the wire."""

import asyncio

import httpx
import pytest

from deeporigin_mcp.simulator import ManualClock, Platform, create_app, make_token, parse_fault
from tests.support.api import DOCKING, Api, Background, docking_inputs

LIST = "/tools/deeporigin/tools/executions"


def test_a_lost_answer_after_the_work_leaves_the_work_done(api: Api, platform: Platform) -> None:
    platform.faults.append(parse_fault("POST */executions status=504 html after=work times=1"))
    response = api.create(DOCKING, inputs=docking_inputs(), name="lost")
    assert response.status_code == 504
    assert response.headers["content-type"] == "text/html"
    assert "<center>nginx</center>" in response.text
    assert [row["name"] for row in api.listed()["data"]] == ["lost"]
    assert api.create(DOCKING, inputs=docking_inputs()).status_code == 200


def test_without_after_work_nothing_is_done(api: Api, platform: Platform) -> None:
    platform.faults.append(parse_fault("POST * status=503"))
    assert api.create(DOCKING, inputs=docking_inputs()).json() == {
        "statusCode": 503,
        "message": "Service Unavailable",
    }
    assert platform.creates == []


@pytest.mark.parametrize("after_work", ["", " after=work"])
def test_a_reset_is_seen_as_a_broken_connection(api: Api, platform: Platform, after_work: str) -> None:
    platform.faults.append(parse_fault(f"POST */executions reset times=1{after_work}"))
    with pytest.raises(httpx.ReadError):
        api.create(DOCKING, inputs=docking_inputs())
    assert len(platform.creates) == (1 if after_work else 0)
    assert platform.requests[-1][2] == 0
    assert api.listed()["count"] == len(platform.creates)


@pytest.mark.parametrize("rule", ["GET * half times=1", "GET * half status=500 times=1"])
def test_half_a_body_ends_the_connection_early(api: Api, platform: Platform, rule: str) -> None:
    platform.faults.append(parse_fault(rule))
    with pytest.raises(httpx.RemoteProtocolError, match="complete message body"):
        api.http.get(LIST)
    assert api.http.get(LIST).status_code == 200


def test_a_delay_is_in_simulated_seconds_and_then_the_platform_answers(
    api: Api, clock: ManualClock, platform: Platform
) -> None:
    platform.faults.append(parse_fault("GET * delay=30"))
    call = Background(lambda: api.http.get(LIST))
    assert clock.wait_for_waiters(1)
    assert call.is_alive
    clock.advance(30)
    assert call.result().json()["count"] == 0


def test_an_answer_can_be_late_after_its_work(api: Api, clock: ManualClock, platform: Platform) -> None:
    platform.faults.append(parse_fault("POST * delay=30 after=work"))
    call = Background(lambda: api.create(DOCKING, inputs=docking_inputs()))
    assert clock.wait_for_waiters(1)
    assert len(platform.creates) == 1
    clock.advance(30)
    assert call.result().status_code == 200


def test_retry_after_comes_in_both_forms(api: Api, platform: Platform) -> None:
    platform.faults += [
        parse_fault("GET * retry-after=7 times=1"),
        parse_fault("GET * status=503 retry-after=date times=1"),
    ]
    first, second = api.http.get(LIST), api.http.get(LIST)
    assert (first.status_code, first.headers["retry-after"]) == (429, "7")
    assert (second.status_code, second.headers["retry-after"][-3:]) == (503, "GMT")


@pytest.mark.parametrize(
    ("rule", "statuses"),
    [
        ("GET * status=500 times=2", [500, 500, 200, 200]),
        ("GET * status=500 skip=1 times=1", [200, 500, 200, 200]),
        ("GET * status=500 every=2", [200, 500, 200, 500]),
        ("* *nothing* status=500", [200, 200, 200, 200]),
        ("PATCH * status=500", [200, 200, 200, 200]),
    ],
)
def test_rules_count_what_they_match(api: Api, platform: Platform, rule: str, statuses: list[int]) -> None:
    platform.faults.append(parse_fault(rule))
    assert [api.http.get(LIST).status_code for _ in range(4)] == statuses


@pytest.mark.parametrize(
    "text",
    [
        "",
        "GET *",
        "FETCH * status=500",
        "GET * status=99",
        "GET * status=abc",
        "GET * explode",
        "GET * times=0 reset",
        "GET * times=3",
        "GET * delay=-1",
        "GET * skip=-1 reset",
        "GET * every=0 reset",
        "GET * retry-after=soon",
        "GET * after=lunch reset",
        "GET * half=3",
    ],
)
def test_a_bad_rule_is_refused_with_the_valid_form(text: str) -> None:
    with pytest.raises(ValueError, match="The form is: METHOD PATH-GLOB EFFECT"):
        parse_fault(text)


def test_html_alone_is_a_bad_gateway() -> None:
    rule = parse_fault("get /x html")
    assert (rule.method, rule.status, rule.html) == ("GET", 502, True)


@pytest.mark.parametrize("effect", ["reset", "half"])
def test_without_a_socket_a_dropped_connection_is_an_exception(effect: str) -> None:
    platform = Platform(clock=ManualClock(), faults=[parse_fault(f"GET * {effect}")])

    async def call() -> None:
        transport = httpx.ASGITransport(app=create_app(platform))
        headers = {"Authorization": f"Bearer {make_token()}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://sim", headers=headers) as client:
            await client.get(LIST)

    with pytest.raises(ConnectionResetError):
        asyncio.run(call())
