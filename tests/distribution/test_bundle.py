"""The bundle without building it: its contents, and what its manifest makes of what a person fills in."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from deeporigin_mcp.settings import Settings
from deeporigin_mcp.settings.own import WAYS
from tests.distribution import bundle
from tests.support.documents import variables_that_are_read

MANIFEST: dict[str, Any] = json.loads(bundle.MANIFEST.read_text(encoding="utf-8"))
VARIABLES: dict[str, str] = MANIFEST["server"]["mcp_config"]["env"]


def settings_of(answers: dict[str, Any], home: Path) -> Settings:
    *_, variables = bundle.started_as_told(MANIFEST, home, answers)
    return Settings.load(variables, home)


def test_the_bundle_holds_the_package_and_what_builds_it_and_nothing_else() -> None:
    names = bundle.contents()
    assert {name for name in names if not name.startswith("deeporigin_mcp/")} == {
        "LICENSE",
        "README.md",
        "manifest.json",
        "pyproject.toml",
        "server.py",
    }
    assert "deeporigin_mcp/cli.py" in names
    assert all(path.is_file() for path in names.values())
    # Whether the pages are built depends on what ran before.
    assert {Path(name).suffix for name in names if "/" in name} - {".txt"} == {".py", ".typed", ".json", ".html"}
    apps = "deeporigin_mcp/apps/"
    pages = {
        name.removeprefix(apps) for name in names if name.startswith(apps) and not name.startswith(f"{apps}built/")
    }
    assert pages == {"__init__.py", "approval.html", "pages.py"}


def test_every_field_reaches_a_variable_that_is_read() -> None:
    assert set(VARIABLES) <= variables_that_are_read()
    assert sorted(VARIABLES.values()) == sorted(f"${{user_config.{key}}}" for key in MANIFEST["user_config"])
    hidden = [key for key, option in MANIFEST["user_config"].items() if option.get("sensitive")]
    assert hidden == ["token"]
    assert VARIABLES["DO_AUTH_TOKEN"] == "${user_config.token}"


@pytest.mark.parametrize("left", ["not given", "empty"])
def test_fields_that_are_left_empty_are_as_if_there_were_none(left: str, tmp_path: Path) -> None:
    answers = {} if left == "not given" else dict.fromkeys(MANIFEST["user_config"], "")
    plain = {"session"}
    assert settings_of(answers, tmp_path).model_dump(exclude=plain) == Settings.load({}, tmp_path).model_dump(
        exclude=plain
    )


def test_what_is_filled_in_arrives(tmp_path: Path) -> None:
    answers = {"organisation": "acme", "project": "P1", "auto_approve_up_to": 0.5, "budget": 20, "files": "/data/sets"}
    found = settings_of({**answers, "approval": "browser, terminal"}, tmp_path)
    assert found.approval == ("browser", "terminal")
    assert (found.org_key, found.project_id, found.files) == ("acme", "P1", (Path("/data/sets"),))
    assert (found.auto_approve_up_to, found.budget) == (Decimal("0.5"), Decimal(20))


def test_the_field_for_approval_names_the_ways_that_there_are() -> None:
    described = MANIFEST["user_config"]["approval"]["description"]
    # A host of bundles cannot show the client's own question, the first of all ways.
    assert [way for way in WAYS if f"{way} (" in described] == [way for way in WAYS if way != "elicitation"]


def test_the_host_starts_the_entry_point_without_what_is_for_development() -> None:
    command, arguments, _ = bundle.started_as_told(MANIFEST, Path("/unpacked"), {})
    assert (command, arguments) == ("uv", ["run", "--no-dev", "--directory", str(Path("/unpacked")), "server.py"])
    assert MANIFEST["server"]["entry_point"] == arguments[-1]
