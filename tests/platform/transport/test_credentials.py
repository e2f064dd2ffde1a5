"""The token: checked before each call against the injected clock, and never told to anybody."""

import base64
import contextlib
import json
import logging
import traceback
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from deeporigin_mcp.errors import CredentialError, DeepOriginError, SettingsError
from deeporigin_mcp.platform import DeepOriginClient, RetryPolicy
from deeporigin_mcp.settings import Settings, TokenClaims, local_token
from tests.support.fake_time import START, FakeTime
from tests.support.recording import Recorder, Reply, client_for, execution, settings_for, token

pytestmark = pytest.mark.anyio

SECRET = token(sub="a-secret-subject")
PARTS = SECRET.split(".")


def shown_by(error: BaseException) -> str:
    """Everything that a traceback with local variables prints, causes and contexts included."""
    told = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    for hidden in (error.__cause__, error.__context__):
        if hidden is not None and not error.__suppress_context__:
            told += shown_by(hidden)
    return told + repr(error) + str(error) + repr(getattr(error, "__dict__", ""))


def assert_secret_is_not_in(text: str) -> None:
    for part in (SECRET, PARTS[1], f"Bearer {PARTS[0]}"):
        assert part not in text


# Expiry


async def test_a_token_is_valid_up_to_its_last_second(server: Recorder, time: FakeTime) -> None:
    expiring = token(exp=START + 60)
    server.answer(execution())
    async with client_for(server, time.timing, token=expiring) as client:
        time.advance(60)
        await client.executions.get("e-1")
        time.advance(1)
        with pytest.raises(CredentialError, match="expired on 2025-10-09 at 08:54:20 UTC") as caught:
            await client.executions.get("e-1")
    assert len(server.requests) == 1
    assert "DO_AUTH_TOKEN" in caught.value.next_step


async def test_a_token_that_expires_between_two_attempts_is_not_sent_again(server: Recorder, time: FakeTime) -> None:
    server.answer(Reply(status=503))
    async with client_for(server, time.timing, token=token(exp=START + 2)) as client:
        with pytest.raises(CredentialError, match="expired"):
            await client.executions.get("e-1")
    assert len(server.requests) == 2


@pytest.mark.parametrize("exp", [None, 0, "soon", True, [], float("nan"), float("-inf"), -5, 10**400])
async def test_a_token_without_a_usable_expiry_counts_as_expired(server: Recorder, time: FakeTime, exp: Any) -> None:
    async with client_for(server, time.timing, token=token(exp=exp)) as client:
        with pytest.raises(CredentialError, match="expired"):
            await client.tools.list()
    assert server.requests == []


def test_an_expiry_beyond_any_calendar_is_no_error() -> None:
    settings = Settings(token=SecretStr(token(exp=1e300)), org_key="acme")
    assert settings.require_token(START)
    with pytest.raises(CredentialError, match="at a time that cannot be shown"):
        settings.require_token(1e301)


def test_without_a_clock_expiry_is_judged_by_real_time() -> None:
    assert Settings(token=SecretStr(token()), org_key="acme").require_token()
    with pytest.raises(CredentialError):
        Settings(token=SecretStr(token(exp=1_700_000_000)), org_key="acme").require_token()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"token": None}, r"no token \(DO_AUTH_TOKEN\)\."),
        ({"org_key": ""}, r"no organisation \(DO_ORG_KEY\)\."),
        ({"problem": "The file is odd."}, "The file is odd."),
    ],
)
async def test_nothing_is_sent_without_credentials(server: Recorder, values: dict[str, Any], message: str) -> None:
    async with client_for(server, **values) as client:
        for call in (
            client.executions.list(),
            client.tools.list(),
            client.organizations.users(),
            client.projects.list(),
        ):
            with pytest.raises(CredentialError, match=message):
                await call
    assert server.requests == []


# Claims


def test_claims_are_read_without_checking_the_signature() -> None:
    claims = TokenClaims.read(SecretStr(token(name="Ada", email="ada@example.org", exp=12.5)))
    assert claims._asdict() == {
        "issuer": "https://login.deeporigin.io/realms/deeporigin",
        "subject": "u-1",
        "name": "Ada",
        "email": "ada@example.org",
        "expires_at": 12.5,
    }


def test_the_token_made_for_the_local_simulator_lasts_a_year() -> None:
    claims = TokenClaims.read(local_token(START))
    assert claims.expires_at == START + 365 * 24 * 3600
    assert claims.name == "Local User"


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no-dots",
        "a.b",
        "a.b.c.d",
        "a..c",
        f"{PARTS[0]}.{PARTS[1]}.{PARTS[2]}\n",
        f"{PARTS[0]}.{PARTS[1][:20]}\n{PARTS[1][20:]}.{PARTS[2]}",
        f"{PARTS[0]}.{PARTS[1]}.é",
        f"é.{PARTS[1]}.{PARTS[2]}",
        f"{PARTS[0]}.{PARTS[1]}.\udcff",
        f"h.{_encoded(b'[]')}.s",
        f"h.{_encoded(b'7')}.s",
        f"h.{_encoded(b'{')}.s",
        f"h.{_encoded(bytes([255, 254, 253]))}.s",
        f"h.{_encoded(b'[' * 50_000)}.s",
        "h.abcde.s",
    ],
)
async def test_a_text_that_is_no_token_is_refused_without_being_repeated(server: Recorder, text: str) -> None:
    async with client_for(server, token=SecretStr(text) if text else None) as client:
        with pytest.raises(CredentialError) as caught:
            await client.executions.list()
    assert server.requests == []
    assert not text or text not in str(caught.value)


@given(text=st.text(st.characters(), max_size=40) | st.from_regex(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"))
def test_reading_a_token_never_fails_in_another_way(text: str) -> None:
    with contextlib.suppress(CredentialError):
        assert isinstance(TokenClaims.read(SecretStr(text)).expires_at, float)


@given(
    payload=st.dictionaries(
        st.sampled_from(["iss", "sub", "name", "email", "exp"]),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.lists(st.integers()),
    )
)
def test_claims_of_any_type_are_read_as_their_own_type(payload: dict[str, Any]) -> None:
    claims = TokenClaims.read(SecretStr(f"h.{_encoded(json.dumps(payload).encode())}.s"))
    assert all(isinstance(text, str) for text in (claims.issuer, claims.subject, claims.name, claims.email))
    assert claims.expires_at == claims.expires_at
    assert abs(claims.expires_at) != float("inf")


# Secrecy


def test_the_token_is_in_no_picture_of_the_settings() -> None:
    settings = settings_for("http://127.0.0.1:1", token=SECRET)
    for picture in (repr(settings), str(settings), settings.model_dump_json(), repr(settings.model_dump())):
        assert_secret_is_not_in(picture)


def test_the_token_is_in_no_error_about_settings() -> None:
    for values in ({"token": [SECRET]}, {"token": SECRET, "unknown": SECRET}, {"org_key": [SECRET]}):
        with pytest.raises(ValidationError) as caught:
            Settings.model_validate(values)
        assert_secret_is_not_in(str(caught.value))


def test_the_token_is_in_no_traceback_of_a_wrong_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DO_AUTH_TOKEN", SECRET)
    monkeypatch.setenv("DEEPORIGIN_MCP_BUDGET", "lots")
    with pytest.raises(SettingsError) as caught:
        Settings.load()
    assert_secret_is_not_in(shown_by(caught.value))


FAULTS = [
    Reply(status=400, body={"message": "no"}),
    Reply(status=401),
    Reply(status=403, body={"errors": [{"code": "LICENSE.FEATURE_NOT_LICENSED"}]}),
    Reply(status=404),
    Reply(status=429, headers={"retry-after": "7"}),
    Reply(status=500, body=b"<html>"),
    Reply(status=302, headers={"location": "http://127.0.0.1:1/"}),
    Reply(fault="reset"),
    Reply(fault="close"),
    Reply(fault="garbage"),
    Reply(body={"a": 1}, fault="half"),
    Reply(body=b"not json"),
]


@pytest.mark.parametrize("reply", FAULTS, ids=lambda reply: f"{reply.status}{reply.fault or ''}")
async def test_the_token_is_in_no_traceback_and_no_log_of_a_failed_request(
    server: Recorder, time: FakeTime, reply: Reply, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.answer(reply)
    data = {"inputs": {}, "clusterId": "cl-1"}
    async with client_for(server, time.timing, retry=RetryPolicy(attempts=2), token=SECRET) as client:
        for call in (
            client.executions.get("e-1"),
            client.executions.create(tool_key="deeporigin.docking", tool_version="1", data=data),
            client.executions.confirm("e-1"),
        ):
            with pytest.raises(DeepOriginError) as caught:
                await call
            assert_secret_is_not_in(shown_by(caught.value))
    assert f"Bearer {SECRET}" in {request.headers["authorization"] for request in server.requests}
    assert caplog.records
    for record in caplog.records:
        assert_secret_is_not_in(record.getMessage() + repr(record.__dict__))


async def test_the_token_is_in_no_traceback_of_a_refused_connection(time: FakeTime) -> None:
    async with DeepOriginClient(settings_for("http://127.0.0.1:1", token=SECRET), timing=time.timing) as client:
        with pytest.raises(DeepOriginError) as caught:
            await client.executions.get("e-1")
    assert_secret_is_not_in(shown_by(caught.value))
