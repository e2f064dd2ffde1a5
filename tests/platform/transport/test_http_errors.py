"""An answer that is no success becomes the error that says who can act, in one harmless line."""

import gc
import json
import sys
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from deeporigin_mcp.errors import (
    ArgumentError,
    CredentialError,
    DeepOriginError,
    InvalidRequestError,
    NotFoundError,
    PlatformError,
    RateLimitError,
    RestrictionError,
    StateConflictError,
)
from deeporigin_mcp.platform.records.sanitizing import LARGEST_INTEGER, one_line, sanitized
from deeporigin_mcp.platform.transport.http_errors import decoded_body, failure, message_in, sanitized_body
from tests.support.arbitrary import json_values, objects

WHAT = "get execution e-1"


def failed(status: int, body: Any = b"", **headers: str) -> DeepOriginError:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return failure(status, content, {name.replace("_", "-"): text for name, text in headers.items()}, what=WHAT)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, InvalidRequestError),
        (401, CredentialError),
        (403, CredentialError),
        (404, NotFoundError),
        (405, InvalidRequestError),
        (408, PlatformError),
        (409, StateConflictError),
        (413, InvalidRequestError),
        (422, InvalidRequestError),
        (429, RateLimitError),
        (500, PlatformError),
        (502, PlatformError),
        (503, PlatformError),
        (504, PlatformError),
        (599, PlatformError),
        (302, PlatformError),
        (304, PlatformError),
    ],
)
def test_each_status_says_who_can_act(status: int, kind: type[DeepOriginError]) -> None:
    error = failed(status, {"message": "Because."})
    assert type(error) is kind
    assert error.http_status == status
    assert error.next_step
    assert status < 400 or "Because" in str(error)


def test_a_callers_mistake_is_a_value_error() -> None:
    assert issubclass(ArgumentError, ValueError)
    assert all(issubclass(kind, ArgumentError) for kind in (NotFoundError, InvalidRequestError, StateConflictError))


def test_the_error_has_the_pause_that_a_platform_asks_for() -> None:
    error = failure(429, b"", {}, what=WHAT, retry_after_seconds=7.0)
    assert isinstance(error, RateLimitError)
    assert error.retry_after_seconds == 7.0


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"message": "Validation failed", "errors": [{"field": "inputs.ligands", "reason": "required"}]},
         "Validation failed; inputs.ligands: required"),
        ({"statusCode": 404, "message": "Execution not found", "error": "Not Found"}, "Execution not found"),
        ({"statusCode": 400, "message": ["name must be text", "page must be 0 or more"]},
         "name must be text; page must be 0 or more"),
        ({"message": "", "error": "Bad Gateway"}, "Bad Gateway"),
        ({"error": {"code": "E1", "message": "Nested"}}, "Nested"),
        ({"errors": [{"id": "x", "status": 400, "code": "A.B", "title": "Short", "detail": "Long",
                      "source": {"pointer": "/inputs/effort"}}, {"code": "C.D", "source": {"parameter": "page"}}]},
         "/inputs/effort: Long; page: C.D"),
        ({"errors": ["plain", 7, {}]}, "plain"),
        ({"detail": "Execution e-1 not found"}, "Execution e-1 not found"),
        ({"detail": [{"type": "missing", "loc": ["body", "inputs", 0], "msg": "Field required", "input": None}]},
         "body.inputs.0: Field required"),
        ({"code": "CRMQ.RESOURCE_LEDGER.ORG_QUOTA_EXCEEDED", "message": "Quota"}, "Quota"),
        ("Internal Server Error", "Internal Server Error"),
        (b"Internal Server Error", "Internal Server Error"),
        (b"\xff\xfe\x00odd", "\ufffd\ufffd odd"),
        (b"  <!DOCTYPE html><html><body>502 nginx</body></html>", "(an HTML page, probably from a proxy)"),
        (b"<html>", "(an HTML page, probably from a proxy)"),
        (b"", ""),
        ([], ""),
        ([{"message": "x"}], ""),
        ({}, ""),
        (7, ""),
        (b"null", "null"),
    ],
)  # fmt: skip
def test_every_shape_of_an_error_body_is_read(body: Any, said: str) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    assert message_in(decoded_body(content), content) == said


@pytest.mark.parametrize("status", [400, 402, 403, 429, 500, 503])
def test_a_refusal_for_money_or_licence_is_one_whatever_the_status(status: int) -> None:
    body = {"errors": [{"code": "MASON.TOOL_EXECUTION.TIER_LIMIT_EXCEEDED", "title": "Plan limit reached"}]}
    error = failed(status, body, x_request_id="r-1")
    assert isinstance(error, RestrictionError)
    assert (error.http_status, error.request_id, str(error)) == (status, "r-1", "Plan limit reached.")


@pytest.mark.parametrize(
    ("headers", "request_id"),
    [
        ({"x_request_id": "r-1", "x_correlation_id": "c-1"}, "r-1"),
        ({"x_correlation_id": "c-1"}, "c-1"),
        ({"x_request_id": ""}, None),
        ({"cf_ray": "8f-FRA", "x_amzn_trace_id": "Root=1-2"}, "Root=1-2"),
        ({"traceparent": "00-0af7-b7ad-01", "x_request_id": " "}, "00-0af7-b7ad-01"),
        ({"cf_ray": "8f-FRA"}, "8f-FRA"),
        ({}, None),
        ({"x_request_id": "a\x1b[0m b"}, "a [0m b"),
        ({"x_request_id": "r" * 500}, "r" * 99 + "…"),
    ],
)
@pytest.mark.parametrize("status", [302, 404, 429, 500])
def test_the_request_id_is_kept_for_the_operator(status: int, headers: dict[str, str], request_id: str | None) -> None:
    assert failed(status, **headers).request_id == request_id


@given(
    st.one_of(json_values.map(json.dumps), st.text(alphabet='{}[]",:0123456789.eE+-\\u tnfN\n\ufeff')), st.booleans()
)
def test_a_body_is_read_as_pythons_own_json_reads_it(text: str, cut: bool) -> None:
    body = text.encode()[: -1 if cut else None]
    try:
        expected = json.dumps(json.loads(body))
    except ValueError:
        expected = "null"
    assert json.dumps(decoded_body(body)) == expected


@given(
    st.one_of(
        json_values.map(json.dumps), st.text(alphabet='[]",:0139.eE+- \n'), st.from_regex(r"-?[1-9]\d*[eE]\+?\d+")
    ),
    st.sampled_from(["%s", "[%s]", '{"a": [0.5,%s ,"1e999"]}', '["7e123", {"a":%s\n}]']),
)
@example("1" * 400, "%s")
@example(f"{LARGEST_INTEGER + 1}", "[%s]")
@example(f"-{LARGEST_INTEGER + 1}", "[%s]")
@example(f"{LARGEST_INTEGER}", "[%s]")
@example("1.5E+0000309", "[%s]")
@example("-0.1e999", "%s")
@example("NaN", "[%s]")
@example('"\\ud83d"', "[%s]")
def test_what_is_read_of_a_body_is_always_sanitized(value: str, around: str) -> None:
    body = around.replace("%s", value).encode()
    try:
        expected = sanitized(json.loads(body))
    except ValueError:
        expected = None
    assert json.dumps(sanitized_body(body), allow_nan=False) == json.dumps(expected, allow_nan=False)


def test_a_body_in_another_encoding_or_nested_deeply_is_read_too() -> None:
    assert decoded_body('{"a":"ä"}'.encode("utf-16")) == {"a": "ä"}
    deep = b"[" * 300 + b"]" * 300
    assert decoded_body(deep) == json.loads(deep)
    assert decoded_body(b"[" * 100_000) is None


def test_long_and_unruly_words_become_one_short_line() -> None:
    error = failed(400, {"message": "\x1b[2J\x00a\r\n\tb\u2028c\u202ed\x9f\ud800" + "x" * 100_000})
    assert "[2J a b cd \ufffdxxx" in str(error)
    assert str(error).isprintable()
    assert len(str(error)) < 800


@given(text=st.text(st.characters(), max_size=60), limit=st.integers(1, 50))
def test_one_line_is_one_short_line_of_what_can_be_sent(text: str, limit: int) -> None:
    line = one_line(text, limit)
    assert len(line) <= limit
    assert line == line.strip()
    assert line.encode().decode() == line
    assert not set(line) & {chr(code) for code in [*range(32), *range(127, 160), 0x2028, 0x2029, 0x202E]}
    assert one_line(line, limit) == line


errors = objects(
    {"errors": st.lists(json_values), "message": json_values, "detail": st.lists(objects({"loc": json_values}))}
)


@given(status=st.integers(300, 599), body=json_values | errors | st.binary(max_size=50))
def test_every_response_becomes_an_error_of_this_package(status: int, body: Any) -> None:
    error = failed(status, body)
    assert error.http_status == status
    assert error.next_step
    assert len(str(error)) < 2000
    assert not set(str(error)) & {chr(code) for code in range(32)}


def test_a_message_is_read_from_no_more_than_the_start_of_a_long_text() -> None:
    assert len(message_in(None, b"a" * 10_000_000)) <= 600


@pytest.mark.parametrize(
    "body",
    [b"[" * 100_000, b'{"a":' * 50_000, b"[" * 100_000 + b"]" * 100_000, b'{"children":[' * 5_000 + b"]}" * 5_000],
)
def test_what_nests_deeper_than_python_reads_is_unreadable_and_switches_nothing(body: bytes) -> None:
    limit, collects = sys.getrecursionlimit(), gc.isenabled()
    assert decoded_body(body) is None
    assert failure(500, body, {}, what="list").http_status == 500
    assert (sys.getrecursionlimit(), gc.isenabled()) == (limit, collects)
