"""What is published: one version, true metadata, and nothing of the machine that it was made on."""

from __future__ import annotations

import importlib.metadata
import json
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest

import deeporigin_mcp
from deeporigin_mcp.settings import Environment, Settings
from tests.support.documents import README, listed_tools, variables_that_are_read
from tests.support.processes import REPOSITORY

PROJECT: dict[str, Any] = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
MANIFEST: dict[str, Any] = json.loads((REPOSITORY / "bundle" / "manifest.json").read_text())
REGISTRY_SCHEMA: dict[str, Any] = json.loads(
    (REPOSITORY / "tests" / "schemas" / "server-2025-12-11.schema.json").read_text()
)
SERVER: dict[str, Any] = json.loads((REPOSITORY / "server.json").read_text())
PACKAGE: dict[str, Any] = SERVER["packages"][0]
VARIABLES: dict[str, dict[str, Any]] = {variable["name"]: variable for variable in PACKAGE["environmentVariables"]}

INPUT_SCHEMA = {
    "type": "object",
    "required": ["name", "description", "isRequired", "isSecret", "format"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string"},
        "description": {"type": "string", "minLength": 1},
        "isRequired": {"type": "boolean"},
        "isSecret": {"type": "boolean"},
        "format": {"enum": ["string", "number", "boolean", "filepath"]},
        "default": {"type": "string"},
        "placeholder": {"type": "string"},
        "choices": {"type": "array", "items": {"type": "string"}, "minItems": 1},
    },
}
SERVER_SCHEMA = {
    "type": "object",
    "required": ["$schema", "name", "description", "version", "packages"],
    "additionalProperties": False,
    "properties": {
        "$schema": {"const": "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"},
        "name": {"type": "string", "pattern": "^[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+$", "minLength": 3, "maxLength": 200},
        "title": {"type": "string", "minLength": 1, "maxLength": 100},
        "description": {"type": "string", "minLength": 1, "maxLength": 100},
        "version": {"type": "string", "pattern": r"^\d+\.\d+\.\d+$"},
        "websiteUrl": {"type": "string", "pattern": "^https://"},
        "packages": {
            "type": "array",
            "minItems": 1,
            "maxItems": 1,
            "items": {
                "type": "object",
                "required": ["registryType", "identifier", "version", "transport", "runtimeHint"],
                "additionalProperties": False,
                "properties": {
                    "registryType": {"const": "pypi"},
                    "identifier": {"type": "string"},
                    "version": {"type": "string", "pattern": r"^\d+\.\d+\.\d+$"},
                    "runtimeHint": {"const": "uvx"},
                    "transport": {"const": {"type": "stdio"}},
                    "environmentVariables": {"type": "array", "items": INPUT_SCHEMA},
                },
            },
        },
    },
}
"""What we hold to beside the registry's schema, which lets unknown keys pass."""


def git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    # git grep exits with 1 where it finds nothing.
    assert done.returncode in (0, 1), done.stderr
    return done.stdout


def test_the_version_is_written_once() -> None:
    assert PROJECT["project"]["dynamic"] == ["version"]
    assert PROJECT["tool"]["hatch"]["version"]["path"] == "deeporigin_mcp/__init__.py"
    assert importlib.metadata.version("deeporigin-mcp") == deeporigin_mcp.__version__


def test_the_metadata_are_those_of_the_project() -> None:
    metadata = importlib.metadata.metadata("deeporigin-mcp")
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["License-Expression"] == "MIT"
    assert PROJECT["project"]["license-files"] == ["LICENSE"]
    assert (REPOSITORY / "LICENSE").read_text().startswith("MIT License")
    assert PROJECT["tool"]["mypy"]["python_version"] == "3.11"
    assert PROJECT["tool"]["ruff"]["target-version"] == "py311"


def test_the_console_script_is_the_command_line() -> None:
    [script] = importlib.metadata.entry_points(group="console_scripts", name="deeporigin-mcp")
    assert script.value == "deeporigin_mcp.cli:main"
    assert callable(script.load())


def test_the_wheel_has_the_package_with_its_types_and_nothing_else() -> None:
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel.keys() == {"packages", "exclude"}
    assert wheel["packages"] == ["deeporigin_mcp"]
    # What the pages are put together from.
    assert {name.rpartition("/")[0] for name in wheel["exclude"]} == {"deeporigin_mcp/apps"}
    files = git("ls-files", "deeporigin_mcp").split()
    assert "deeporigin_mcp/py.typed" in files
    assert {Path(name).suffix for name in files} == {".py", ".typed", ".json", ".html", ".css", ".js"}
    assert [name for name in files if "test" in Path(name).name] == []


def test_every_folder_of_the_package_is_a_package() -> None:
    files = {Path(name) for name in git("ls-files", "deeporigin_mcp").split() if name.endswith(".py")}
    assert {path.parent / "__init__.py" for path in files} <= files


def test_the_source_distribution_names_files_that_exist() -> None:
    for name in PROJECT["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]:
        assert (REPOSITORY / name).exists(), name


def test_every_dependency_has_a_tested_lower_bound_and_an_exact_pin() -> None:
    pinned = {re.split("==", pin)[0] for pin in PROJECT["dependency-groups"]["pinned"]}
    assert all(re.fullmatch(r"[\w.-]+==[\w.!+-]+", pin) for pin in PROJECT["dependency-groups"]["pinned"])
    for dependency in PROJECT["project"]["dependencies"]:
        name, bound = re.fullmatch(r"([\w-]+)(>=\S+)", dependency).groups()  # type: ignore[union-attr]
        assert bound.startswith(">=")
        assert name in pinned


def test_every_dependency_has_its_reason_in_contributing() -> None:
    reasons = (REPOSITORY / "CONTRIBUTING.md").read_text()
    for dependency in PROJECT["project"]["dependencies"]:
        assert f"`{re.split('[<>=]', dependency)[0]}`" in reasons


def test_every_script_is_described_in_contributing() -> None:
    text = (REPOSITORY / "CONTRIBUTING.md").read_text()
    assert [name for name in git("ls-files", "scripts").split() if f"`{name}`" not in text] == []


def registry_errors(server: Any) -> list[str]:
    validator = jsonschema.Draft7Validator(REGISTRY_SCHEMA, format_checker=jsonschema.Draft7Validator.FORMAT_CHECKER)
    return [error.message for error in validator.iter_errors(server)]


def test_server_json_is_what_the_registry_takes() -> None:
    jsonschema.Draft7Validator.check_schema(REGISTRY_SCHEMA)
    assert REGISTRY_SCHEMA["$id"] == SERVER["$schema"]
    assert registry_errors(SERVER) == []
    jsonschema.validate(SERVER, SERVER_SCHEMA)
    assert SERVER["version"] == PACKAGE["version"] == MANIFEST["version"] == deeporigin_mcp.__version__
    assert PACKAGE["identifier"] == PROJECT["project"]["name"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "no-namespace"},
        {"description": "x" * 101},
        {"version": 1},
        {"packages": [{**PACKAGE, "version": "latest"}]},
        {"packages": [{**PACKAGE, "transport": {"type": "streamable-http"}}]},
        {"packages": [{**PACKAGE, "environmentVariables": [{"isSecret": True}]}]},
        {"packages": [{**PACKAGE, "environmentVariables": [{"name": "A", "format": "url"}]}]},
        {"packages": [{**PACKAGE, "packageArguments": [{"type": "positional"}]}]},
    ],
)
def test_the_registry_s_schema_finds_what_is_wrong(wrong: dict[str, Any]) -> None:
    assert registry_errors({**SERVER, **wrong}) != []


def test_server_json_and_the_readme_name_the_same_server() -> None:
    assert re.findall(r"<!-- mcp-name: (\S+) -->", README) == [SERVER["name"]]


def test_server_json_describes_every_variable_as_it_is_read(tmp_path: Path) -> None:
    assert sorted(VARIABLES) == sorted(variables_that_are_read())
    assert [name for name, variable in VARIABLES.items() if variable["isSecret"]] == [
        "DO_AUTH_TOKEN",
        "DEEPORIGIN_MCP_NOTIFY",
        "DEEPORIGIN_MCP_STATE_KEYS",
    ]
    assert [name for name, variable in VARIABLES.items() if variable["isRequired"]] == []
    assert VARIABLES["DO_ENV"]["choices"] == [*get_args(Environment)]
    assert VARIABLES["DEEPORIGIN_MCP_LOG_LEVEL"]["choices"] == [
        *get_args(Settings.model_fields["log_level"].annotation)
    ]
    plain = {"session", "sources"}
    defaults = {name: variable["default"] for name, variable in VARIABLES.items() if "default" in variable}
    assert Settings.load(defaults, tmp_path).model_dump(exclude=plain) == Settings.load({}, tmp_path).model_dump(
        exclude=plain
    )


@pytest.mark.parametrize("name", [name for name, variable in VARIABLES.items() if variable["format"] != "string"])
def test_the_format_of_a_variable_is_the_one_that_is_read(name: str, tmp_path: Path) -> None:
    value = {"number": "1.5", "boolean": "true", "filepath": "log"}[VARIABLES[name]["format"]]
    assert Settings.load({name: value}, tmp_path) != Settings.load({}, tmp_path)


def test_the_bundle_is_described_as_the_package_is() -> None:
    assert MANIFEST["name"] == PROJECT["project"]["name"]
    assert MANIFEST["description"] == SERVER["description"]
    assert MANIFEST["license"] == PROJECT["project"]["license"]
    assert MANIFEST["compatibility"]["runtimes"]["python"] == PROJECT["project"]["requires-python"]
    assert [tool["name"] for tool in MANIFEST["tools"]] == listed_tools()
    assert (REPOSITORY / "bundle" / MANIFEST["server"]["entry_point"]).exists()


def test_the_changelog_names_every_tool() -> None:
    changelog = (REPOSITORY / "CHANGELOG.md").read_text()
    assert [name for name in listed_tools() if f"`{name}`" not in changelog] == []
    assert deeporigin_mcp.__version__ in changelog


def test_no_lock_file_is_tracked() -> None:
    locks = re.compile(r"(^|/)(.*\.lock|pylock.*\.toml|package-lock\.json|requirements.*\.txt)$")
    # The pages hold npm packages of a certain content, whose checksums are in this one; it names no address.
    pages = "deeporigin_mcp/apps/package-lock.json"
    assert [name for name in git("ls-files").splitlines() if locks.search(name)] == [pages]
    assert not re.search("resolved|://", (REPOSITORY / pages).read_text(encoding="utf-8"))


def test_no_tracked_file_names_a_package_registry_or_a_folder_of_a_machine() -> None:
    # Spelt in pieces, so that this file does not match.
    registries = [r"py[p]i\.(org|python)", r"pytho[n]hosted\.", r"registr[y]\.(npmjs|yarnpkg)", r"deb[i]an\.org"]
    folders = ["root", "home", "work", "Users", "mnt", "opt", "srv", "private"]
    patterns = [*registries, *(rf"(^|[\"' (=:])/{name[0]}[{name[1]}]{name[2:]}/[A-Za-z0-9.]" for name in folders)]
    assert git("grep", "-nIE", "|".join(patterns)) == ""
