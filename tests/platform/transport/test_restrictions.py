"""Refusals by licence, plan or money: found wherever the official client finds them, with the same words."""

import re
from typing import Any

import pytest
from deeporigin.platform.errors import _parse_platform_rejection as official
from hypothesis import given
from hypothesis import strategies as st

from deeporigin_mcp.platform.transport.http_errors import RESTRICTION_CODES, restriction_in
from tests.support.arbitrary import json_values, objects

GENERIC = "The platform's licence or billing rules refuse this run."
LICENCE = "LICENSE.INSUFFICIENT_AVAILABILITY"


@pytest.mark.parametrize(
    ("body", "message", "action"),
    [
        ({"code": LICENCE, "message": "No seats"}, "No seats.", None),
        ({"purchase_approved": False, "purchase_approval_comment": "Over the cap", "message": "x",
          "action_request": "Ask Kim"}, "Over the cap. Ask Kim.", "Ask Kim"),
        ({"is_approved": False}, GENERIC, None),
        ({"status": "InsufficientFunds", "statusReason": "Empty."}, "Empty.", None),
        ({"status": "InsufficientFunds", "statusReason": None}, GENERIC, None),
        ({"status": "InsufficientFunds", "statusReason": {"code": "FailedQuotation", "message": "Not enough",
          "items": [{"actionRequest": "Add funds", "purchaseApprovalComment": "Low"}]}},
         "Not enough. Add funds.", "Add funds"),
        ({"status": "InsufficientFunds", "statusReason": {"items": [
            {"actionRequest": "Add funds", "purchaseApprovalComment": "Low"},
            {"actionRequest": "Add funds", "purchaseApprovalComment": "Very low"}, "odd"]}},
         "Low; Very low. Add funds.", "Add funds"),
        ({"status": "Failed", "statusReason": {"code": "CREDITS_TX.PREPARE.INSUFFICIENT", "detail": "No credits!"}},
         "No credits!", None),
        ({"errors": [{"code": LICENCE, "title": "40 seats, 12 left", "actionRequest": "Extend"}, {"code": "OTHER"},
                     {"code": LICENCE, "title": "40 seats, 12 left"}]}, "40 seats, 12 left. Extend.", "Extend"),
        ({"errors": [{"code": LICENCE, "title": "A"}, {"code": "LICENSE.RESERVE.EXCEEDS_MAX", "title": "B"}]},
         "A; B.", None),
    ],
)  # fmt: skip
def test_each_place_of_a_refusal_is_read(body: dict[str, Any], message: str, action: str | None) -> None:
    found = restriction_in(body)
    assert found is not None
    assert (str(found), found.action) == (message, action)


@pytest.mark.parametrize("code", sorted(RESTRICTION_CODES))
def test_each_code_is_a_refusal_in_each_place(code: str) -> None:
    for body in ({"code": code}, {"statusReason": {"code": code}}, {"errors": [{"code": code}]}):
        assert restriction_in(body, http_status=403)


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        "InsufficientFunds",
        {},
        {"code": "CRMQ.RESOURCE_LEDGER.ORG_QUOTA_EXCEEDED"},
        {"errors": [{"status": 403}]},
        {"status": "Failed", "statusReason": {"code": "FailedQuotation"}},
        {"status": "FailedQuotation"},
        {"purchase_approved": None, "is_approved": 0},
        {"code": [LICENCE]},
        {"errors": {"code": LICENCE}},
        {"statusReason": LICENCE},
    ],
)
def test_what_is_no_refusal_is_left_alone(body: Any) -> None:
    assert restriction_in(body) is None


def test_the_first_place_in_the_documented_order_wins() -> None:
    body: dict[str, Any] = {
        "code": LICENCE,
        "message": "first",
        "purchase_approved": False,
        "purchase_approval_comment": "second",
        "status": "InsufficientFunds",
        "statusReason": {"code": LICENCE, "message": "third"},
        "errors": [{"code": LICENCE, "message": "fifth"}],
    }
    told = []
    for gone in ("purchase_approval_comment", "code", "purchase_approved", "status", "statusReason", "errors"):
        found = restriction_in(body)
        told.append(str(found) if found else None)
        del body[gone]
    assert told == ["second.", "first.", "first.", "third.", "third.", "fifth."]
    assert restriction_in(body) is None


def test_a_text_of_control_characters_says_nothing_and_the_next_one_counts() -> None:
    body = {
        "code": LICENCE,
        "message": "\x1b\u2028",
        "detail": "No seats.",
        "action_request": "\x1b",
        "actionRequest": "b",
    }
    found = restriction_in(body)
    assert found is not None
    assert (str(found), found.action) == ("No seats. b.", "b")


def test_an_execution_that_was_refused_comes_with_the_error() -> None:
    dto = {"executionId": "e-1", "status": "InsufficientFunds"}
    found = restriction_in(dto)
    assert found is not None
    assert found.execution is dto
    assert found.http_status is None


def test_long_and_unruly_words_become_one_short_line() -> None:
    found = restriction_in(
        {"code": LICENCE, "message": "a\x1b[31m\n\u202eb\ud800" + "x" * 10_000, "action_request": "c\nd"}
    )
    assert found is not None
    assert str(found).isprintable()
    assert len(str(found)) < 1300
    assert found.action == "c d"


texts = st.sampled_from(
    ["", " ", "No seats.", "Low", " Low ", "Stop!", "Really?", "Ends: ", "\x1b", "a\x1b[2J"]
) | st.text("ab .;", max_size=6)
codes = st.sampled_from([*sorted(RESTRICTION_CODES)[:2], "FailedQuotation", "OTHER"])
items = st.lists(objects({"purchaseApprovalComment": texts, "actionRequest": texts}) | json_values, max_size=3)
reasons = objects(
    {"code": codes, "purchase_approval_comment": texts, "message": texts, "detail": texts, "title": texts,
     "action_request": texts, "actionRequest": texts, "items": items}
)  # fmt: skip
bodies = objects(
    {"code": codes, "purchase_approved": st.booleans(), "is_approved": st.booleans(), "message": texts,
     "purchase_approval_comment": texts, "action_request": texts, "items": items,
     "status": st.sampled_from(["InsufficientFunds", "Failed"]), "statusReason": reasons | texts,
     "errors": st.lists(reasons | json_values, max_size=3)}
)  # fmt: skip


HARMFUL = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def readable(text: str) -> str:
    return " ".join(HARMFUL.sub(" ", text).split())


@given(body=bodies | json_values)
def test_the_official_client_comes_to_the_same_verdict_in_the_same_words(body: Any) -> None:
    ours, theirs = restriction_in(body), official(body)
    assert (ours is None) == (theirs is None)
    if ours is None or theirs is None:
        return
    generic = "The platform rejected this operation under its licensing or billing rules."
    for part in theirs.message.split("; "):
        assert part == generic or readable(part) in str(ours)
    if not HARMFUL.search(theirs.action or ""):
        # Of what cannot be read nothing is told, and so the next place may be.
        assert readable(theirs.action or "") == (ours.action or "")
