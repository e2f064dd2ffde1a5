"""Prices out of the platform's quotation and billing objects, in USD (platform-facts 5.1, 5.2)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

MAX_DIGITS = 15
_USD = re.compile(r"(\d[\d,]*(?:\.\d+)?) USD")


class LineItem(NamedTuple):
    """One billable item of a quote. `quantity` may be 0 while `total` is not: such prices follow a formula."""

    code: str
    name: str
    quantity: float | None
    unit_price: float | None
    total: float | None


def amount(value: Any) -> Decimal | None:
    """A money value of the platform, which is a number or a numeric string; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    # Beyond this it is no price, and sums would no longer be exact.
    return number if number.is_finite() and number.adjusted() < MAX_DIGITS else None


def total(values: Iterable[Any]) -> float | None:
    """The exact sum of the values that are prices; None if none is. A genuine 0 stays 0."""
    known = [number for value in values if (number := amount(value)) is not None]
    return float(sum(known, Decimal(0))) if known else None


def missing_amount(said: str, price: float | None) -> Decimal | None:
    """USD that are missing, where a refusal names the price and one other, smaller sum: the balance."""
    sums = {number for found in _USD.findall(said) if (number := amount(found.replace(",", ""))) is not None}
    wanted = amount(price)
    others = sums - {wanted}
    if wanted not in sums or len(others) != 1 or wanted is None:
        return None
    missing = wanted - others.pop()
    return missing if missing > 0 else None


def quoted_rows(quotation: Any) -> list[dict[str, Any]]:
    rows = quotation.get("successfulQuotations") if isinstance(quotation, dict) else None
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def quoted_price(quotation: Any) -> float | None:
    """The total of a `quotationResult`; None if it holds no price, which is not the same as free."""
    return total(row.get("priceTotal") for row in quoted_rows(quotation))


def quote_is_partial(quotation: Any) -> bool:
    """Whether some item has no price that can be agreed to, so that the total says too little."""
    if not isinstance(quotation, dict):
        return False
    prices = [amount(row.get("priceTotal")) for row in quoted_rows(quotation)]
    # A negative item would pull the sum under a limit.
    unpriced = any(price is None or price < 0 for price in prices)
    return bool(quotation.get("anyFailed")) or bool(quotation.get("failedQuotations")) or unpriced


def line_items(quotation: Any) -> list[LineItem]:
    return [
        LineItem(
            code=_text(row.get("itemCode")),
            name=_item_name(row),
            quantity=total([row.get("qty")]),
            unit_price=total([row.get("priceEach")]),
            total=total([row.get("priceTotal")]),
        )
        for row in quoted_rows(quotation)
    ]


def billed_cost(billing: Any) -> float | None:
    """The `totalCost` of a billing transaction, or the sum of its items; None before anything was billed."""
    if not isinstance(billing, dict):
        return None
    stated = total([billing.get("totalCost")])
    if stated is not None:
        return stated
    items = billing.get("items")
    return total(row.get("priceTotal") for row in items if isinstance(row, dict)) if isinstance(items, list) else None


def _item_name(row: dict[str, Any]) -> str:
    records = row.get("pricingRecords")
    first = records[0] if isinstance(records, list) and records else None
    return _text(first.get("itemName")) if isinstance(first, dict) else ""


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
