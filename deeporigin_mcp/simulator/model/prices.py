"""Prices: what a run of each tool costs, and the quotation and transaction that say so.

Flat prices are in `catalogue.json`. These depend on more than the number of ligands:

| tool | item | price, USD |
|---|---|---|
| protein preparation | `DO_PROTEIN_PREP` (+ `DO_POCKET_FINDER` for novel pockets) | 0 (+ 10) |
| ADMET | `DO_TOGO` | 0.05 per ligand, MapLight 0.02 |
| ABFE | `DO_SYSTEM_PREP` 0, `DO_ABFE` | 120 x formula of atoms, windows, repeats |
| RBFE | `DO_SYSTEM_PREP` 0, `DO_RBFE` (priceTotal a string) | 1 x 38.4 per pair and repeat |
| patents | `DO_PATENT` | 0.1 per page |
| secondary pharmacology | `DO_SECONDARY_PHARMA` | 0 for ligand-ml, 0.5 per ligand for docking |

Shapes: platform-facts 5.1 and 5.2.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from deeporigin_mcp.simulator.model import keys
from deeporigin_mcp.simulator.model.catalogue import Definition
from deeporigin_mcp.simulator.model.identifiers import Identifiers, fraction
from deeporigin_mcp.simulator.model.validation import path_of

ABFE_UNIT = 120.0
RBFE_PAIR = 38.4
REFERENCE_ATOMS = 40_000
REFERENCE_WINDOWS = 80


@dataclass(frozen=True, slots=True)
class Item:
    """One billable line.

    Attributes:
        code: `itemCode`.
        name: `itemName`.
        unit: Price of one, USD.
        quantity: How many are charged.
        variables: Inputs of a formula price; such a line shows `qty` 0 (quirk 12).
        as_text: Serve `priceTotal` as a numeric string.
    """

    code: str
    name: str
    unit: float
    quantity: float = 1.0
    variables: dict[str, float] = field(default_factory=dict)
    as_text: bool = False

    @property
    def total(self) -> float:
        """Price of the line, USD, with the noise of binary fractions as JavaScript leaves it: 3 x 0.2 is not 0.6."""
        return self.unit * self.quantity

    def quotation(self, org: str) -> dict[str, Any]:
        """The line as a row of `successfulQuotations`."""
        row: dict[str, Any] = {
            "status": "OK",
            "itemCode": self.code,
            "orgId": org,
            "qty": 0 if self.variables else self.quantity,
            "priceEach": self.unit,
            "priceTotal": f"{self.total:.2f}" if self.as_text else self.total,
            "pricingRecordType": "regular",
            "pricingRecords": [
                {
                    "itemKey": self.code,
                    "itemName": self.name,
                    "qty": self.quantity,
                    "priceEach": self.unit,
                    "totalPrice": self.total,
                    "tierQtyFrom": 0,
                    "tierQtyTo": 0,
                }
            ],
        }
        if self.variables:
            row["qty_vars"] = self.variables
        return row


def ligand_count(inputs: dict[str, Any], project_ligands: int = 0) -> int:
    """How many ligands a run works on: inline, in a file, or the whole project."""
    if "ligands" in inputs:
        return len(inputs["ligands"])
    if "ligands_count" in inputs:
        return int(inputs["ligands_count"])
    return project_ligands


def _protein_prep(inputs: dict[str, Any], ligands: int) -> list[Item]:  # noqa: ARG001
    items = [Item("DO_PROTEIN_PREP", "Protein preparation", 0.0)]
    return items + ([Item("DO_POCKET_FINDER", "Pocket finder", 10.0)] if inputs.get("find_pockets") == "novel" else [])


def _admet(inputs: dict[str, Any], ligands: int) -> list[Item]:
    unit = 0.02 if inputs.get("method") == "maplight" else 0.05
    return [Item("DO_TOGO", "ADMET prediction", unit, ligands)]


def _preparation(inputs: dict[str, Any]) -> list[Item]:
    steps = inputs.get("steps") or []
    return [Item("DO_SYSTEM_PREP", "System preparation", 0.0)] if "system-prep" in steps else []


def _abfe(inputs: dict[str, Any], ligands: int) -> list[Item]:  # noqa: ARG001
    legs = [inputs.get(name) or {} for name in ("binding", "solvation")]
    windows = sum(leg.get("n_windows", default) for leg, default in zip(legs, (48, 32), strict=True))
    repeats = max(leg.get("repeats", 1) for leg in legs)
    system = inputs.get("protein") or inputs.get("prepared_system")
    atoms = 30_000 + 100 * int(fraction("atoms", system) * 300)
    quantity = atoms / REFERENCE_ATOMS * windows / REFERENCE_WINDOWS * repeats
    if any(leg.get("test_run") for leg in legs):
        quantity *= 0.05
    variables = {"abfe_atoms": atoms, "abfe_repeats": repeats, "abfe_windows": windows}
    line = Item("DO_ABFE", "Absolute Binding Free Energy", ABFE_UNIT, round(quantity, 2), variables)
    return [*_preparation(inputs), line]


def pair_count(inputs: dict[str, Any]) -> int:
    """Edges of an RBFE network."""
    for name in ("pairs", "prepared_systems"):
        if name in inputs:
            return len(inputs[name])
    ligands = len(inputs["ligands"])
    return ligands if inputs.get("network_type") == "cyclic" and ligands > 2 else ligands - 1


def _rbfe(inputs: dict[str, Any], ligands: int) -> list[Item]:  # noqa: ARG001
    repeats = max((inputs.get(name) or {}).get("repeats", 1) for name in ("binding", "solvation"))
    pairs = pair_count(inputs)
    variables = {"rbfe_pairs": pairs, "rbfe_repeats": repeats}
    quantity = round(RBFE_PAIR * pairs * repeats, 2)
    return [
        *_preparation(inputs),
        Item("DO_RBFE", "Relative Binding Free Energy", 1.0, quantity, variables, as_text=True),
    ]


def page_count(inputs: dict[str, Any]) -> int:
    """Pages of a patent, a stable guess from its path."""
    return 8 + int(fraction("pages", path_of(inputs["input_file"])) * 60)


def _patent(inputs: dict[str, Any], ligands: int) -> list[Item]:  # noqa: ARG001
    return [Item("DO_PATENT", "Patent page", 0.1, page_count(inputs))]


def _secondary_pharma(inputs: dict[str, Any], ligands: int) -> list[Item]:
    unit = 0.5 if "docking" in inputs["methods"] else 0.0
    return [Item("DO_SECONDARY_PHARMA", "Secondary pharmacology", unit, ligands)]


Pricing = Callable[[dict[str, Any], int], list[Item]]

_PRICING: dict[str, Pricing] = {
    keys.PROTEIN_PREP: _protein_prep,
    keys.DRACO: _patent,
    keys.SECONDARY_PHARMA: _secondary_pharma,
    keys.ADMET: _admet,
    keys.ABFE: _abfe,
    keys.RBFE: _rbfe,
}


def items_of(definition: Definition, inputs: dict[str, Any], project_ligands: int) -> list[Item]:
    """The billable lines of a run; empty for tools that are not billed."""
    ligands = ligand_count(inputs, project_ligands)
    if definition.key in _PRICING:
        return _PRICING[definition.key](inputs, ligands)
    if definition.price is None:
        return []
    price = definition.price
    return [Item(price["code"], price["name"], price["unit"], ligands if price.get("per_ligand") else 1.0)]


def total_of(items: list[Item]) -> float:
    """Price of a run, USD, with the noise of its lines."""
    return sum(item.total for item in items)


def quotation(items: list[Item], org: str) -> dict[str, Any]:
    """`quotationResult` of a priced run."""
    return {
        "anyFailed": False,
        "failedQuotations": [],
        "successfulQuotations": [item.quotation(org) for item in items],
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
    return {
        "transactionId": ids.object_id(),
        "status": "Approved",
        "orgId": org,
        "totalCost": total,
        "items": [
            {
                "itemCode": item.code,
                "qty": 0 if item.variables else item.quantity,
                "priceEach": item.unit,
                "priceTotal": item.total,
                "isApproved": True,
                "actionRequest": None,
                "authorizationId": ids.object_id(),
                "purchaseApprovalComment": None,
            }
            for item in items
        ],
    }


def estimator_output(items: list[Item]) -> dict[str, Any]:
    """`estimatorOutput` of a workflow run: the counts behind its price."""
    return {
        "counts": {
            item.code: {
                "vars": item.variables or {"qty": item.quantity},
                "description": {"message": f"{item.quantity:g} x {item.name}"},
            }
            for item in items
        },
        "method": "workflow",
        "resources": {},
    }
