"""Prices: exact sums, and a missing price is never a free one."""

from decimal import Decimal
from typing import Any

import pytest
from deeporigin.drug_discovery.execution import Execution as Official
from hypothesis import given
from hypothesis import strategies as st

from deeporigin_mcp.platform.records import money
from deeporigin_mcp.platform.records.execution import Execution
from tests.support.arbitrary import json_values, objects


def quote(*prices: Any, **fields: Any) -> dict[str, Any]:
    return {
        "anyFailed": False,
        "failedQuotations": [],
        "successfulQuotations": [{"priceTotal": p} for p in prices],
        **fields,
    }


@pytest.mark.parametrize(
    ("quotation", "price"),
    [
        (quote(0.1, 0.2), 0.3),
        (quote("0.1", 0.2), 0.3),
        (quote(" 12.50 "), 12.5),
        (quote(0), 0.0),
        (quote("0.00"), 0.0),
        (quote(0, 151.2), 151.2),
        (quote(1.1, 2.2, 3.3), 6.6),
        (quote(*[0.1] * 1000), 100.0),
        (quote(None, 5), 5.0),
        (quote(float("nan"), 5), 5.0),
        (quote("NaN", "Infinity", 5), 5.0),
        (quote(10**400, "9e999999", "9e999999", 5), 5.0),
        (quote(True, [], {}, "five", 5), 5.0),
        (quote(999_999_999_999.99, 0.01), 1e12),
        (quote(None), None),
        (quote(), None),
        (quote(float("nan")), None),
        (quote("9e999999", "9e999999"), None),
        ({}, None),
        (None, None),
        ("quoted", None),
        ({"successfulQuotations": {"priceTotal": 1}}, None),
        ({"successfulQuotations": [1, None]}, None),
    ],
)
def test_the_price_is_the_exact_sum_of_what_is_a_price(quotation: Any, price: float | None) -> None:
    assert Execution({"quotationResult": quotation}).quoted_price == money.amount(price)


@pytest.mark.parametrize(
    ("quotation", "partial"),
    [
        (quote(1, 2), False),
        (quote(), False),
        (None, False),
        (quote(1, None), True),
        (quote(1, "soon"), True),
        (quote(1, 10**30), True),
        (quote(0, "1,000"), True),
        (quote(0, "1_000"), True),
        (quote(0, "\uff15"), True),
        (quote(0, "5 USD"), True),
        (quote(0, "9" * 5000), True),
        (quote(0, 10**5000), True),
        (quote(0, True), True),
        (quote(0, [500]), True),
        (quote(0, {"amount": 500}), True),
        (quote(successfulQuotations=[{"priceTotal": 0}, None]), True),
        (quote(successfulQuotations=[{"priceTotal": 0}, ["priceTotal", 500]]), True),
        (quote(successfulQuotations=[{"priceTotal": 0}, "DO_ABFE: 500 USD"]), True),
        (quote(successfulQuotations=[{"priceTotal": 0}, 500]), True),
        (quote(successfulQuotations=[{"priceTotal": 0}, {"priceEach": 500, "qty": 1}]), True),
        (quote(successfulQuotations=[{"priceTotal": 0, "status": "FAILED"}]), True),
        (quote(successfulQuotations=[{"priceTotal": 0, "status": "OK"}]), False),
        (quote(successfulQuotations={"0": {"priceTotal": 0}}), True),
        ([{"priceTotal": 0}], True),
        ("0", True),
        (quote(1, anyFailed=True), True),
        (quote(1, failedQuotations=[{"itemCode": "DO_X"}]), True),
    ],
)
def test_a_quote_that_leaves_something_out_is_partial(quotation: Any, partial: bool) -> None:
    assert Execution({"quotationResult": quotation}).price_is_partial is partial


@pytest.mark.parametrize("price", [-0.01, "-5"])
def test_a_negative_item_pulls_no_price_under_a_limit(price: Any) -> None:
    assert Execution({"quotationResult": quote(100, price)}).price_is_partial is True


@given(prices=st.lists(st.decimals(0, 10**9, places=2) | st.none()))
def test_sums_are_exact_to_the_cent(prices: list[Decimal | None]) -> None:
    found = money.quoted_price(quote(*[None if price is None else float(price) for price in prices]))
    known = [price for price in prices if price is not None]
    assert found == (sum(known) if known else None)


@given(prices=st.lists(st.floats(0, 1e6) | st.none() | st.integers(0, 1000).map(str), max_size=6))
def test_the_official_client_sees_the_same_price(prices: list[Any]) -> None:
    ours, theirs = money.quoted_price(quote(*prices)), Official._quotation_total({"quotationResult": quote(*prices)})
    assert (ours is None) == (theirs is None)
    assert ours is None or float(ours) == pytest.approx(theirs, abs=1e-8)


def test_line_items_name_what_is_billed() -> None:
    row = {
        "itemCode": "DO_ABFE",
        "qty": 0,
        "priceEach": 120,
        "priceTotal": "151.2",
        "pricingRecords": [{"itemName": "Absolute Binding Free Energy"}],
    }
    assert Execution({"quotationResult": {"successfulQuotations": [row, {}]}}).line_items == [
        money.LineItem("DO_ABFE", "Absolute Binding Free Energy", Decimal(0), Decimal(120), Decimal("151.2")),
        money.LineItem("", "", None, None, None),
    ]


@pytest.mark.parametrize(
    ("billing", "status", "cost"),
    [
        ({"totalCost": 151.2}, "Running", 151.2),
        ({"totalCost": 0}, "Completed", 0.0),
        ({"items": [{"priceTotal": 0.1}, {"priceTotal": "0.2"}, None]}, "Running", 0.3),
        ({"totalCost": None, "items": []}, "Running", None),
        ({}, "Completed", 7.0),
        (None, "Completed", 7.0),
        (None, "Succeeded", 7.0),
        (None, "Running", None),
        (None, "Cancelled", None),
        ("paid", "Failed", None),
    ],
)
def test_the_cost_is_what_was_billed_or_the_quote_of_a_completed_run(
    billing: Any, status: str, cost: float | None
) -> None:
    execution = Execution({"status": status, "billingTransaction": billing, "quotationResult": quote(7)})
    assert execution.cost == money.amount(cost)


rows = objects(
    {"priceTotal": st.floats() | st.integers() | st.text(max_size=8), "pricingRecords": st.lists(json_values)}
)


@given(quotation=objects({"successfulQuotations": st.lists(rows), "anyFailed": st.booleans()}) | json_values)
def test_whatever_a_quote_holds_its_price_is_a_finite_number_or_nothing(quotation: Any) -> None:
    price = money.quoted_price(quotation)
    assert price is None or abs(price) < 1e18
    assert isinstance(money.quote_is_partial(quotation), bool)
    assert all(isinstance(text, str) for item in money.line_items(quotation) for text in (item.code, item.name))


@pytest.mark.parametrize(
    ("said", "price", "missing"),
    [
        ("The balance of 100.00 USD does not cover 105.60 USD", 105.6, "5.60"),
        ("105.60 USD are needed, 1,000.50 USD are there, 105.60 USD", 105.6, None),
        ("Needs 1,105.60 USD, has 1,000.00 USD", 1105.6, "105.60"),
        ("The balance of 100.00 USD does not cover it", 105.6, None),
        ("100.00 USD, 20.00 USD and 105.60 USD", 105.6, None),
        ("The balance of 100.00 USD does not cover 105.60 USD", None, None),
        ("The balance of 105.60 USD does not cover 105.60 USD", 105.6, None),
        ("No money", 105.6, None),
    ],
)
def test_what_is_missing_is_computed_only_where_price_and_balance_are_named(
    said: str, price: float | None, missing: str | None
) -> None:
    found = money.missing_amount(said, money.amount(price))
    assert (None if found is None else str(found)) == missing


@pytest.mark.parametrize(
    ("wire", "shown"),
    [
        (3 * 0.2, "0.60"),
        (9.05 * 3, "27.15"),
        (0.1 + 0.2, "0.30"),
        (1.1 * 1.1, "1.21"),
        (0.6 + 1e-9, "0.60"),
        (0.6 - 1e-9, "0.60"),
        ("0.60", "0.60"),
        (1e2, "100.00"),
        ("1E+2", "100.00"),
        (5, "5.00"),
        (1 / 3, "0.333333333"),
        (0.0000001, "0.0000001"),
        (-1e-17, "0.00"),
        (123456789.01, "123456789.01"),
    ],
)
def test_an_amount_is_shown_plainly_and_without_binary_noise(wire: Any, shown: str) -> None:
    found = money.amount(wire)
    assert found is not None
    assert money.shown(found) == shown
    assert Decimal(repr(float(found))) == found


@pytest.mark.parametrize("other", [0.600000002, 0.5999999979, "0.60001", 0.61])
def test_what_is_more_than_noise_is_another_price(other: Any) -> None:
    assert money.amount(other) != money.amount(0.6)


@given(st.integers(1, 200), st.decimals(0, 1000, places=2))
def test_a_javascript_product_is_the_price_that_it_stands_for(count: int, unit: Decimal) -> None:
    assert money.amount(float(unit) * count) == unit * count
    assert money.quoted_price(quote(*[float(unit)] * count)) == unit * count


@given(st.floats(-1e6, 1e6) | st.decimals(-(10**6), 10**6, places=12))
def test_rounding_twice_changes_nothing_more(value: Any) -> None:
    found = money.amount(value)
    assert found is None or money.amount(found) == money.amount(float(found)) == found
