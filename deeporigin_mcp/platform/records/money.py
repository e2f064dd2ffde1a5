"""Prices out of the platform's quotation and billing objects, in USD (platform-facts 5.1, 5.2).

An amount is a `Decimal` of the digits on the wire, so that the same number is shown, approved, compared, capped and
recorded. JavaScript prices 3 x 0.2 at 0.6000000000000001: 1e-9 USD beside whole millionths is noise.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from decimal import Context, Decimal
from typing import Any, NamedTuple

MAX_DIGITS = 15
"""Before the decimal point. A larger number is not a price, and sums would not be exact."""
LONGEST_NUMBER = 64
"""Characters; a longer text is not a price."""
ZERO = Decimal("0.0")
_NOISE = Decimal("1e-9")
_MILLIONTH = Decimal("1e-6")
_EXACT = Context(prec=100)
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?")
_USD = re.compile(r"(\d[\d,]*(?:\.\d+)?) USD")


class LineItem(NamedTuple):
    """One billable item of a quote, in USD. `quantity` may be 0 while `total` is not: such prices follow a formula."""

    code: str
    name: str
    quantity: Decimal | None
    unit_price: Decimal | None
    total: Decimal | None


def amount(value: Any) -> Decimal | None:
    """A money value of the platform, which is a number or a numeric string; None for anything else."""
    number = _exactly(value)
    return None if number is None else rounded(number)


def rounded(number: Decimal) -> Decimal:
    """The number without binary noise and without needless zeros: 0.6, 5.0, 151.25."""
    if number.adjusted() >= MAX_DIGITS:
        return number
    exact = number.quantize(_NOISE, context=_EXACT)
    near = exact.quantize(_MILLIONTH, context=_EXACT)
    if abs(exact - near) <= _NOISE:
        exact = near
    if not exact:
        return ZERO
    plain = exact.normalize(_EXACT)
    return plain if int(plain.as_tuple().exponent) < 0 else exact.quantize(ZERO, context=_EXACT)


def is_same(one: Decimal | None, other: Decimal | None) -> bool:
    """Whether two amounts are the same price: JSON numbers of many digits lose the last ones."""
    return one is not None and other is not None and abs(one - other) <= _NOISE


def shown(number: Decimal) -> str:
    """An amount as people read it: with its cents, with more digits where it has them, without an exponent."""
    whole, _, digits = f"{rounded(number):f}".partition(".")
    return f"{whole}.{digits:0<2}"


def usd(price: Decimal | None) -> str:
    """A price as a person and a model read it."""
    return "a price that is not known" if price is None else f"{shown(price)} USD"


def added(amounts: Iterable[Decimal]) -> Decimal:
    """The exact sum of amounts, however large: a sum too large for a price must not pass as no price."""
    exact = ZERO
    for number in amounts:
        exact = _EXACT.add(exact, number)
    return rounded(exact)


def total(values: Iterable[Any]) -> Decimal | None:
    """The exact sum of the values that are prices; None if none is. A genuine 0 stays 0."""
    known = [number for value in values if (number := _exactly(value)) is not None]
    if not known:
        return None
    exact = added(known)
    return exact if exact.adjusted() < MAX_DIGITS else None


def _exactly(value: Any) -> Decimal | None:
    """The number with the digits of the wire, which a float keeps; None if it is not a price."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    if isinstance(value, str):
        value = value.strip()
        if len(value) > LONGEST_NUMBER:
            return None
    return _read(value)


@functools.lru_cache(maxsize=1024, typed=True)
def _read(value: float | str | Decimal) -> Decimal | None:
    # Remembered, because thousands of rows share a few prices.
    if isinstance(value, str | float):
        digits = value if isinstance(value, str) else repr(value)
        if len(digits) > LONGEST_NUMBER or not _NUMBER.fullmatch(digits):
            return None
        value = digits
    number = Decimal(value)
    return number if number.is_finite() and number.adjusted() < MAX_DIGITS else None


def without_noise(value: Any, levels: int = 6) -> Any:
    """A JSON value with its floats rounded like amounts, down to `levels` levels."""
    if isinstance(value, float):
        number = amount(value)
        return value if number is None else float(number)
    if levels and isinstance(value, dict):
        return {name: without_noise(entry, levels - 1) for name, entry in value.items()}
    if levels and isinstance(value, list):
        return [without_noise(entry, levels - 1) for entry in value]
    return value


def missing_amount(message: str, price: Decimal | None) -> Decimal | None:
    """USD that the balance lacks, from a refusal that names the price and one smaller sum; None otherwise."""
    sums = {number for found in _USD.findall(message) if (number := _exactly(found.replace(",", ""))) is not None}
    wanted = amount(price)
    others = sums - {wanted}
    if wanted not in sums or len(others) != 1 or wanted is None:
        return None
    missing = wanted - others.pop()
    return missing if missing > 0 else None


def quoted_rows(quotation: Any) -> list[dict[str, Any]]:
    return [row for row in _rows(quotation) if isinstance(row, dict)]


def quoted_price(quotation: Any) -> Decimal | None:
    """The total of a `quotationResult`; None if it holds no price, which is not the same as free."""
    return total(row.get("priceTotal") for row in quoted_rows(quotation))


def quote_is_partial(quotation: Any) -> bool:
    """Whether some item failed or has no valid price, so that the total may be too low."""
    if not isinstance(quotation, dict):
        return quotation is not None
    rows = quotation.get("successfulQuotations")
    if rows is not None and not isinstance(rows, list):
        return True
    return (
        bool(quotation.get("anyFailed"))
        or bool(quotation.get("failedQuotations"))
        or not all(map(_is_priced, _rows(quotation)))
    )


def _rows(quotation: Any) -> list[Any]:
    rows = quotation.get("successfulQuotations") if isinstance(quotation, dict) else None
    return rows if isinstance(rows, list) else []


def _is_priced(row: Any) -> bool:
    if not isinstance(row, dict) or row.get("status", "OK") != "OK":
        return False
    price = amount(row.get("priceTotal"))
    # A negative item would pull the sum under a limit.
    return price is not None and price >= 0


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


def billed_cost(billing: Any) -> Decimal | None:
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
