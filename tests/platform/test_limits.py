"""Limits on money and the switches of this server: a value that cannot be used is refused, never guessed."""

from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import ValidationError

from deeporigin_mcp.errors import SettingsError
from deeporigin_mcp.settings import Settings

NOWHERE = Path("/nonexistent")


@pytest.mark.parametrize("name", ["AUTO_APPROVE_UP_TO", "MAX_PRICE", "BUDGET"])
@pytest.mark.parametrize(
    "value", ["nan", "inf", "-inf", "-1", "-0.01", "abc", "1e999", "1,50", "5 USD", "0x10", "\udcff"]
)
def test_a_limit_that_is_no_amount_is_refused(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"DEEPORIGIN_MCP_{name}"):
        Settings.load({f"DEEPORIGIN_MCP_{name}": value}, NOWHERE)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0])
@pytest.mark.parametrize("field", ["auto_approve_up_to", "max_price", "budget"])
def test_a_limit_that_is_no_amount_cannot_be_built_either(field: str, value: float) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate({field: value})


def test_limits_and_switches_are_read() -> None:
    settings = Settings.load(
        {
            "DEEPORIGIN_MCP_AUTO_APPROVE_UP_TO": " 2.50 ",
            "DEEPORIGIN_MCP_MAX_PRICE": "100",
            "DEEPORIGIN_MCP_BUDGET": "1e3",
            "DEEPORIGIN_MCP_SESSION": " team-a ",
            "DEEPORIGIN_MCP_READ_ONLY": "Yes",
            "DEEPORIGIN_MCP_LOG_LEVEL": "debug",
        },
        NOWHERE,
    )
    assert (settings.auto_approve_up_to, settings.max_price, settings.budget) == (
        Decimal("2.5"),
        Decimal(100),
        Decimal(1000),
    )
    assert (settings.session, settings.read_only, settings.log_level) == ("team-a", True, "DEBUG")


def test_without_limits_only_free_runs_start_and_nothing_else_is_capped() -> None:
    settings = Settings.load({"DEEPORIGIN_MCP_MAX_PRICE": "", "DEEPORIGIN_MCP_BUDGET": "  "}, NOWHERE)
    assert (settings.auto_approve_up_to, settings.max_price, settings.budget) == (Decimal(0), None, None)
    assert (settings.read_only, settings.log_level) == (False, "WARNING")


def test_a_limit_of_zero_is_a_limit() -> None:
    settings = Settings.load({"DEEPORIGIN_MCP_MAX_PRICE": "0", "DEEPORIGIN_MCP_BUDGET": "0"}, NOWHERE)
    assert (settings.max_price, settings.budget) == (Decimal(0), Decimal(0))


@pytest.mark.parametrize(
    ("name", "value"), [("READ_ONLY", "maybe"), ("READ_ONLY", "2"), ("LOG_LEVEL", "LOUD"), ("SESSION", "a\nb")]
)
def test_a_switch_with_another_value_is_refused(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"DEEPORIGIN_MCP_{name}"):
        Settings.load({f"DEEPORIGIN_MCP_{name}": value}, NOWHERE)


@pytest.mark.parametrize("value", ["0", "false", "NO", "off", ""])
def test_read_only_can_be_switched_off(value: str) -> None:
    assert not Settings.load({"DEEPORIGIN_MCP_READ_ONLY": value}, NOWHERE).read_only


def test_each_deployment_without_a_session_makes_its_own() -> None:
    assert Settings.load({}, NOWHERE).session != Settings.load({}, NOWHERE).session
