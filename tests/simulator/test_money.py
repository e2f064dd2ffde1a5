"""Prices, approval rules, balances and refusals of licensing and billing."""

from collections.abc import Mapping

import pytest

from deeporigin_mcp.simulator import ManualClock, Platform
from tests.support.api import ABFE, ADMET, DOCKING, MOLPROPS, POCKETS, PROTEIN, RBFE, Api, abfe_inputs, docking_inputs

POCKET_INPUTS = {"protein": PROTEIN, "sync": False}


@pytest.mark.parametrize(
    ("amount", "inputs", "status"),
    [
        (-1, docking_inputs("C"), "Quoted"),
        (0, docking_inputs("C"), "Quoted"),
        (0.2, docking_inputs("C"), "Created"),
        (0.19, docking_inputs("C"), "Quoted"),
        (5, docking_inputs("C"), "Created"),
        (None, docking_inputs("C"), "Created"),
        (None, docking_inputs(*["C"] * 100), "Created"),
    ],
)
def test_approve_amount_decides_whether_docking_starts(
    api: Api, amount: float | None, inputs: dict[str, object], status: str
) -> None:
    dto = api.create(DOCKING, inputs=inputs, approveAmount=amount).json()
    assert (dto["status"], dto["approveAmount"]) == (status, amount)


def test_a_free_run_starts_even_with_a_cap_of_zero(api: Api) -> None:
    inputs = {"ligands": [{"smiles": "CCO"}]}
    assert api.create(MOLPROPS, inputs=inputs, approveAmount=0).json()["status"] == "Created"
    assert api.create(MOLPROPS, inputs=inputs, approveAmount=-1).json()["status"] == "Quoted"


def test_without_an_amount_the_organisations_threshold_decides(api: Api, acme: Api) -> None:
    assert api.create(POCKETS, inputs=POCKET_INPUTS).json()["status"] == "Created"
    assert acme.create(POCKETS, inputs=POCKET_INPUTS).json()["status"] == "Quoted"


def test_a_dispatch_takes_the_price_from_the_balance(api: Api, platform: Platform) -> None:
    execution = api.started(POCKETS, inputs=POCKET_INPUTS, approveAmount=-1)
    assert platform.organisations["deeporigin"].balance == 5000
    dto = api.act(execution, "confirm").json()
    assert platform.organisations["deeporigin"].balance == 4990
    item = dto["billingTransaction"]["items"][0]
    assert (item["itemCode"], item["priceTotal"]) == ("DO_POCKET_FINDER", 10)


def test_cancelling_before_the_start_refunds_and_later_does_not(
    api: Api, clock: ManualClock, platform: Platform
) -> None:
    early, late = (api.started(POCKETS, inputs=POCKET_INPUTS, approveAmount=20) for _ in range(2))
    api.act(early, "cancel")
    clock.advance(20)
    api.act(late, "cancel")
    assert platform.organisations["deeporigin"].balance == 4990


def test_a_confirm_over_the_balance_comes_back_as_insufficient_funds(acme: Api, platform: Platform) -> None:
    execution = acme.started(ABFE, inputs=abfe_inputs(), approveAmount=-1)
    response = acme.act(execution, "confirm")
    dto = response.json()
    assert (response.status_code, dto["status"], dto["startedAt"]) == (200, "InsufficientFunds", None)
    assert dto["quotationResult"]["successfulQuotations"]
    assert dto["statusReason"]["code"] == "FailedQuotation"
    assert "100.00 USD" in dto["statusReason"]["items"][0]["purchaseApprovalComment"]
    assert platform.confirms == []
    assert platform.organisations["acme"].balance == 100
    assert acme.act(execution, "confirm").status_code == 409


def test_a_create_over_the_balance_is_insufficient_funds_too(acme: Api) -> None:
    dto = acme.create(ABFE, inputs=abfe_inputs(), approveAmount=1000).json()
    assert (dto["status"], dto["billingTransaction"]) == ("InsufficientFunds", None)


def test_acme_has_no_licence_for_relative_free_energies(acme: Api, platform: Platform) -> None:
    pairs = [{"pose1": {"file_path": "a.sdf"}, "pose2": {"file_path": "b.sdf"}}]
    response = acme.create(RBFE, inputs={"pairs": pairs}, approveAmount=-1)
    assert response.status_code == 403
    error = response.json()["errors"][0]
    assert error["code"] == "LICENSE.FEATURE_NOT_LICENSED"
    assert error["action_request"]
    assert platform.creates == []


def test_acmes_tier_limit_shows_at_confirm(acme: Api, platform: Platform) -> None:
    inputs = {"ligands": [{"smiles": "C"}] * 21, "properties": ["herg"]}
    execution = acme.started(ADMET, inputs=inputs, approveAmount=-1)
    response = acme.act(execution, "confirm")
    assert response.status_code == 403
    error = response.json()["errors"][0]
    assert error["code"] == "MASON.TOOL_EXECUTION.TIER_LIMIT_EXCEEDED"
    assert error["meta"]["requested"] == 21
    assert acme.get(execution)["status"] == "Quoted"
    assert acme.create(ADMET, inputs=inputs).status_code == 403
    assert platform.creates == [execution]


@pytest.mark.parametrize(
    "inputs",
    [
        docking_inputs(pocket={"center": [0, 0, 0], "box_size_x": 81, "box_size_y": 20, "box_size_z": 20}),
        docking_inputs(protein={"file_path": "proteins/missing.pdb"}),
    ],
)
def test_what_cannot_be_priced_is_a_failed_quotation(api: Api, inputs: dict[str, object]) -> None:
    response = api.create(DOCKING, inputs=inputs, approveAmount=-1)
    dto = response.json()
    assert (response.status_code, dto["status"]) == (200, "FailedQuotation")
    assert dto["quotationResult"]["anyFailed"] is True
    assert dto["statusReason"]["message"] == dto["quotationResult"]["failedQuotations"][0]["message"]
    assert api.act(dto["executionId"], "confirm").status_code == 409


def rows(api: Api, key: str, inputs: Mapping[str, object]) -> list[dict[str, object]]:
    dto = api.create(key, inputs=inputs, approveAmount=-1).json()
    return list(dto["quotationResult"]["successfulQuotations"])


def test_a_formula_price_shows_no_quantity(api: Api) -> None:
    preparation, energy = rows(api, ABFE, abfe_inputs())
    assert (preparation["itemCode"], preparation["priceTotal"]) == ("DO_SYSTEM_PREP", 0)
    assert (energy["itemCode"], energy["qty"], energy["priceEach"]) == ("DO_ABFE", 0, 120)
    records = energy["pricingRecords"]
    assert isinstance(records, list)
    assert records[0]["qty"] * 120 == pytest.approx(energy["priceTotal"])


def test_a_test_run_is_cheap(api: Api) -> None:
    full, short = (
        rows(api, ABFE, abfe_inputs(**extra))[-1]["priceTotal"] for extra in ({}, {"binding": {"test_run": 1}})
    )
    assert isinstance(full, float)
    assert isinstance(short, float)
    assert short < full / 10


def test_relative_free_energies_state_their_price_as_text(api: Api) -> None:
    ligands = [{"file_path": f"{name}.sdf"} for name in "abc"]
    for network, price in (("star", "76.80"), ("cyclic", "115.20")):
        inputs = {"ligands": ligands, "network_type": network, "protein": PROTEIN}
        assert rows(api, RBFE, inputs)[-1]["priceTotal"] == price


def test_prices_follow_the_number_of_ligands_wherever_they_are(api: Api) -> None:
    from_file = {**docking_inputs(), "ligands_file": "list.json", "ligands_count": 500}
    del from_file["ligands"]
    assert rows(api, DOCKING, from_file)[0]["priceTotal"] == 100
    project = {"project": {"id": "09DEMAKNASE01"}, "properties": ["herg"]}
    assert rows(api, ADMET, project)[0]["qty"] == 4


def test_usage_is_listed_by_billing_tag(api: Api, clock: ManualClock) -> None:
    api.started(POCKETS, inputs=POCKET_INPUTS, billing="grant-7")
    api.started(POCKETS, inputs=POCKET_INPUTS, billing="other")
    clock.advance(3600)
    usage = api.http.get("/billing/deeporigin/usage/grant-7", params={"startDate": "2026-10-05"}).json()
    assert usage["status"] == "OK"
    assert [item["total_cost"] for item in usage["items"]] == [10]
    assert usage["items"][0]["billing_tag_transaction"].startswith("grant-7:")
    past = api.http.get("/billing/deeporigin/usage/grant-7", params={"endDate": "2026-10-04"}).json()
    assert past["items"] == []
    assert api.http.get("/billing/deeporigin/usage/x", params={"endDate": "soon"}).status_code == 400
