"""Prices: what a run of each tool costs, and the quotation and transaction that say so.

Flat prices are in `catalogue.json`; free energies have formulas, USD:

| tool | line | price |
|---|---|---|
| ABFE | `DO_ABFE` | 120 x windows / 80 x repeats, a test run 5 % of it |
| RBFE | `DO_RBFE`, its `priceTotal` a string | 38.4 per pair and repeat |

Both show a free line `DO_SYSTEM_PREP` when that step is among theirs. Shapes: platform-facts 5.1 and 5.2.
"""

from dataclasses import dataclass
from typing import Any

from deeporigin_mcp.simulator.model.catalogue import ABFE, RBFE, Definition
from deeporigin_mcp.simulator.model.identifiers import Identifiers

ABFE_UNIT = 120.0
ABFE_WINDOWS = 80
RBFE_PAIR = 38.4


@dataclass(frozen=True, slots=True)
class Item:
    """One billable line.

    Attributes:
        code: `itemCode`.
        name: `itemName`.
        unit: Price of one, USD.
        quantity: How many are charged.
        by_formula: A formula gives the quantity; such a line shows `qty` 0 (quirk 12).
        as_text: Serve `priceTotal` as a numeric string.
    """

    code: str
    name: str
    unit: float
    quantity: float = 1.0
    by_formula: bool = False
    as_text: bool = False

    @property
    def total(self) -> float:
        """Price of the line, USD, with the noise of binary fractions as JavaScript leaves it: 3 x 0.2 is not 0.6."""
        return self.unit * self.quantity

    @property
    def shown(self) -> dict[str, Any]:
        """What quotations and transactions share."""
        return {"itemCode": self.code, "qty": 0 if self.by_formula else self.quantity, "priceEach": self.unit}


def ligand_count(inputs: dict[str, Any], project_ligands: int = 0) -> int:
    """How many ligands a run works on: inline, in a file, or the whole project."""
    if "ligands" in inputs:
        return len(inputs["ligands"])
    return int(inputs.get("ligands_count", project_ligands))


def pair_count(inputs: dict[str, Any]) -> int:
    """Edges of an RBFE network."""
    for name in ("pairs", "prepared_systems"):
        if name in inputs:
            return len(inputs[name])
    ligands = len(inputs["ligands"])
    return ligands if inputs.get("network_type") == "cyclic" and ligands > 2 else ligands - 1


def items_of(definition: Definition, inputs: dict[str, Any], project_ligands: int) -> list[Item]:
    """The billable lines of a run; empty for tools that are not billed."""
    if definition.key in {ABFE, RBFE}:
        preparation = Item("DO_SYSTEM_PREP", "System preparation", 0.0)
        line = _abfe(inputs) if definition.key == ABFE else _rbfe(inputs)
        return [preparation, line] if "system-prep" in (inputs.get("steps") or ()) else [line]
    if definition.price is None:
        return []
    price = definition.price
    quantity = ligand_count(inputs, project_ligands) if price.get("per_ligand") else price.get("quantity", 1.0)
    return [Item(price["code"], price["name"], price["unit"], quantity)]


def _legs(inputs: dict[str, Any]) -> list[dict[str, Any]]:
    return [inputs.get(name) or {} for name in ("binding", "solvation")]


def _abfe(inputs: dict[str, Any]) -> Item:
    legs = _legs(inputs)
    windows = sum(leg.get("n_windows", default) for leg, default in zip(legs, (48, 32), strict=True))
    repeats = max(leg.get("repeats", 1) for leg in legs)
    share = 0.05 if any(leg.get("test_run") for leg in legs) else 1
    quantity = round(windows / ABFE_WINDOWS * repeats * share, 2)
    return Item("DO_ABFE", "Absolute Binding Free Energy", ABFE_UNIT, quantity, by_formula=True)


def _rbfe(inputs: dict[str, Any]) -> Item:
    repeats = max(leg.get("repeats", 1) for leg in _legs(inputs))
    quantity = round(RBFE_PAIR * pair_count(inputs) * repeats, 2)
    return Item("DO_RBFE", "Relative Binding Free Energy", 1.0, quantity, by_formula=True, as_text=True)


def total_of(items: list[Item]) -> float:
    """Price of a run, USD, with the noise of its lines."""
    return sum(item.total for item in items)


def quotation(items: list[Item], org: str) -> dict[str, Any]:
    """`quotationResult` of a priced run."""
    return {"anyFailed": False, "failedQuotations": [], "successfulQuotations": [_quoted(item, org) for item in items]}


def _quoted(item: Item, org: str) -> dict[str, Any]:
    record = {
        "itemKey": item.code,
        "itemName": item.name,
        "qty": item.quantity,
        "priceEach": item.unit,
        "totalPrice": item.total,
        "tierQtyFrom": 0,
        "tierQtyTo": 0,
    }
    return {
        "status": "OK",
        "orgId": org,
        **item.shown,
        "priceTotal": f"{item.total:.2f}" if item.as_text else item.total,
        "pricingRecords": [record],
    }


def failed_quotation(reason: str) -> dict[str, Any]:
    """`quotationResult` when the estimator gave up."""
    return {
        "anyFailed": True,
        "failedQuotations": [{"status": "FAILED", "itemCode": None, "message": reason}],
        "successfulQuotations": [],
    }


def quoted_total(result: object) -> float:
    """What a stored `quotationResult` asks for, USD; 0 when it prices nothing. Accepts numeric strings."""
    rows = result.get("successfulQuotations") if isinstance(result, dict) else None
    return round(sum(float(row.get("priceTotal") or 0) for row in rows or []), 4)


def transaction(items: list[Item], total: float, org: str, ids: Identifiers) -> dict[str, Any]:
    """`billingTransaction` of an approved run."""
    no_remark = {"actionRequest": None, "purchaseApprovalComment": None}
    rows = [{**item.shown, "priceTotal": item.total, **no_remark} for item in items]
    identity = {"transactionId": ids.object_id(), "status": "Approved", "orgId": org}
    return {**identity, "totalCost": total, "items": rows}
