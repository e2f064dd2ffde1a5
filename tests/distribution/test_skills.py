"""The skills of the plugin name only what there is: tools, parameters, values, fields, platform tools, skills."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import anyio
import jsonschema
import pytest
from mcp import Client

from deeporigin_mcp.platform.records.status import KNOWN
from deeporigin_mcp.server import create_server
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.simulator.model.catalogue import standard_catalogue
from tests.support.bench import PROJECT, Bench
from tests.support.history import ASPIRIN, CAFFEINE, DAY, DOCKING, POCKET, PROTEIN, docking
from tests.support.processes import REPOSITORY

SKILLS = sorted((REPOSITORY / "plugin" / "skills").glob("*/SKILL.md"))
CODE = re.compile(r"`([^`]+)`")
CALL = re.compile(r"\w+\(.*\)", re.DOTALL)
KEY = re.compile(r"deeporigin\.[a-z-]+")
MOST_LINES = 60
LONGEST_DESCRIPTION = 300
"""Codex shortens descriptions where all skills together get long; the standard allows 1,024 characters."""


def _tools() -> dict[str, Any]:
    async def listed() -> dict[str, Any]:
        async with Client(create_server(Settings())) as client:
            return {tool.name: tool for tool in (await client.list_tools()).tools}

    return anyio.run(listed)


TOOLS = _tools()
CATALOGUE = standard_catalogue()
RUNNABLE = {tool.key for tool in CATALOGUE.definitions if tool.enabled}


def _named(schema: Any) -> set[str]:
    """The names of all properties in a schema, and the values of its enumerations."""
    if isinstance(schema, list):
        return set().union(*map(_named, schema))
    if not isinstance(schema, dict):
        return set()
    values = {value for value in schema.get("enum", ()) if isinstance(value, str)}
    properties = schema.get("properties")
    return values | (set(properties) if isinstance(properties, dict) else set()) | _named([*schema.values()])


WORDS = (
    set(TOOLS)
    | set(KNOWN)
    | set().union(*(_named(tool.input_schema) | _named(tool.output_schema) for tool in TOOLS.values()))
    | set().union(*(_named(tool.inputs) for tool in CATALOGUE.definitions if tool.enabled))
)
"""What may stand in code, beside calls and keys of platform tools."""


def problems(text: str) -> list[str]:
    """What a skill names that does not exist, and calls that would be refused."""
    found = [f"no platform tool {key}" for key in KEY.findall(text) if key not in RUNNABLE]
    found += [
        f"no skill {name}"
        for name in re.findall(r"skill ([\w-]+)", text)
        if name not in {s.parent.name for s in SKILLS}
    ]
    for code in CODE.findall(text):
        if CALL.fullmatch(code):
            found += _problems_of_call(code)
        elif not KEY.fullmatch(code) and code not in WORDS:
            found.append(f"nothing is called {code}")
    return found


def _problems_of_call(code: str) -> list[str]:
    call = ast.parse(code, mode="eval").body
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.args:
        return [f"{code} is not a call with named arguments"]
    if call.func.id not in TOOLS:
        return [f"no tool {call.func.id}"]
    schema = TOOLS[call.func.id].input_schema
    given = {argument.arg or "**": argument.value for argument in call.keywords}
    found = _problems_of_object(code, given, schema)
    if isinstance(inputs := given.get("inputs"), ast.Dict) and isinstance(key := given.get("tool_key"), ast.Constant):
        entries = {
            ast.literal_eval(name): value for name, value in zip(inputs.keys, inputs.values, strict=True) if name
        }
        definition = CATALOGUE.resolve(str(key.value))
        found += _problems_of_object(code, entries, definition.inputs) if definition else []
    return found


def _problems_of_object(code: str, given: dict[str, ast.expr], schema: dict[str, Any]) -> list[str]:
    """Unknown names, missing ones, and values that the schema refuses; what a model fills in (NAME) fits everywhere."""
    properties = schema["properties"]
    found = [f"{code}: unknown {name}" for name in given if name not in properties]
    alternatives = (schema.get("oneOf", [{}]), [schema])
    if not all(any(set(one.get("required", ())) <= set(given) for one in either) for either in alternatives):
        found.append(f"{code}: something required is missing")
    for name, value in given.items():
        if name in properties and not any(isinstance(node, ast.Name) for node in ast.walk(value)):
            errors = jsonschema.Draft202012Validator(properties[name]).iter_errors(ast.literal_eval(value))
            found += [f"{code}: {error.message}" for error in errors]
    return found


@pytest.mark.parametrize("path", SKILLS, ids=lambda path: path.parent.name)
def test_a_skill_names_only_what_there_is(path: Path) -> None:
    assert problems(path.read_text(encoding="utf-8").split("---\n", 2)[2]) == []


@pytest.mark.parametrize("path", SKILLS, ids=lambda path: path.parent.name)
def test_a_skill_is_short_and_says_when_it_is_for(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    head = dict(line.split(": ", 1) for line in text.split("---\n")[1].splitlines())
    assert head["name"] == path.parent.name
    assert re.fullmatch(r"[a-z][a-z-]{1,62}[a-z]", head["name"])
    assert "Deep Origin" in head["description"]
    assert " Use " in head["description"]
    # Not quoted in the file: YAML would read something else.
    assert not re.search(r": | #", head["description"])
    assert len(head["description"]) <= LONGEST_DESCRIPTION
    assert len(text.splitlines()) <= MOST_LINES
    assert max(map(len, text.split("---\n", 2)[2].splitlines())) <= 124


def test_whatever_spends_tells_the_price_first_and_stops_after_a_refusal() -> None:
    for path in SKILLS:
        text = path.read_text(encoding="utf-8")
        if "create_execution(" in text:
            assert text.index("`quoted_price`") < text.index("`confirm_execution(")
            assert "After a refusal stop." in text


def quotes() -> list[tuple[str, str]]:
    """Each call of a skill that makes a quote, with the skill's name."""
    return [
        (path.parent.name, code)
        for path in SKILLS
        for code in CODE.findall(path.read_text(encoding="utf-8"))
        if code.startswith("create_execution(")
    ]


@pytest.mark.anyio
@pytest.mark.parametrize(("skill", "code"), quotes())
async def test_each_quote_of_a_skill_is_one_that_the_platform_makes(bench: Bench, skill: str, code: str) -> None:
    files = {f"files/{name}.sdf": b"a" for name in ("one", "two", "pose")}
    for path, content in files.items():
        bench.platform.add_file(path, content)
    run = bench.platform.seed_run(DOCKING, docking(ASPIRIN, CAFFEINE), ago_seconds=DAY)
    kept = bench.platform.executions[run]
    kept.imported = [(kind, data) for kind, data in kept.found() if data.get("smiles") != CAFFEINE]
    ligands = [{"file_path": path} for path in files][:2] if skill == "free-energies" else [{"smiles": ASPIRIN}]
    pose = {"file_path": "files/pose.sdf"}
    filled = {"PROTEIN": PROTEIN, "POCKET": POCKET, "LIGANDS": ligands, "POSE": pose, "RUN": run, "NAME": "a name"}
    call = ast.parse(code, mode="eval").body
    assert isinstance(call, ast.Call)
    arguments = {argument.arg: _filled(argument.value, filled) for argument in call.keywords if argument.arg}
    async with bench.agent() as agent:
        made = await agent.read("create_execution", project_id=PROJECT, **arguments)
    assert made["quoted_price"] > 0 or made["status"] != "Quoted"


def _filled(value: ast.expr, filled: dict[str, Any]) -> Any:
    """A value of a call, with what stands for the names in it."""
    return eval(compile(ast.Expression(value), "skill", "eval"), {"__builtins__": {}}, filled)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("`dock_ligands(protein=X)`", "no tool"),
        ("`wait_executions(ids=[RUN])`", "unknown ids"),
        ("`wait_executions()`", "required"),
        ('`wait_executions(execution_ids=[RUN], until="some")`', "not one of"),
        ('`create_execution(tool_key="deeporigin.docking", inputs={"protein": P, "pocket": Q})`', "required"),
        ('`create_execution(tool_key="deeporigin.docking", inputs={"protein": P, "ligands": L})`', "required"),
        (
            '`create_execution(tool_key="deeporigin.pocket-finder", inputs={"protein": P, "pocket_count": 99})`',
            "maximum",
        ),
        ('`create_execution(tool_key="deeporigin.pocket-finder", inputs={"structure": P})`', "unknown structure"),
        ("deeporigin.bulk-docking", "no platform tool"),
        ("the field `affinity_guess`", "nothing is called"),
        ("(skill prepare-everything)", "no skill"),
    ],
)
def test_the_check_finds_what_went_stale(text: str, problem: str) -> None:
    assert any(problem in found for found in problems(text)), problems(text)
