"""Calls that cannot work as written are refused in plain lines, before anything is sent."""

from __future__ import annotations

from typing import Any

import pytest
from mcp.server.mcpserver import MCPServer

from deeporigin_mcp.tools.protocol.arguments import MAX_PROBLEMS
from deeporigin_mcp.tools.protocol.tool import PlatformTool
from tests.support.bench import PROJECT, Agent, Bench, docking, lines_of, running_bench

pytestmark = [pytest.mark.anyio, pytest.mark.one_bench]


@pytest.fixture(autouse=True)
def _nothing_sent_yet(bench: Bench) -> None:
    bench.platform.requests.clear()
    bench.platform.creates.clear()


ID = "3f0c9a52-6f0e-4f0b-9a55-0d3b6e1c7a11"

BAD: list[tuple[str, dict[str, Any], list[str]]] = [
    ("list_executions", {"page": -1}, ["page"]),
    ("list_executions", {"page_size": 10_001}, ["page_size"]),
    ("list_executions", {"status": "Failed"}, ["status"]),
    ("list_executions", {"status": '["Failed"'}, ["status"]),
    ("list_executions", {"detail": "all"}, ["detail"]),
    ("search_executions", {"limit": 0, "offset": -1}, ["limit", "offset"]),
    ("search_executions", {"filters": [{"column": "a"}]}, ["filters.0.op", "filters.0.value"]),
    ("search_executions", {"filters": [{"column": "a", "op": "like", "value": 1}]}, ["filters.0.op"]),
    ("search_executions", {"filters": [{"column": "a", "op": "eq", "value": {"x": None}}]}, ["filters.0.value"]),
    ("search_executions", {"filters": ["name=x", "[" * 5000]}, ["filters.0", "filters.1"]),
    ("search_executions", {"tool_keys": "deeporigin.docking"}, ["tool_keys"]),
    ("get_execution", {}, ["execution_id"]),
    ("get_execution", {"execution_id": 17}, ["execution_id"]),
    ("get_execution", {"execution_id": [ID], "source": "s3"}, ["execution_id", "source"]),
    ("create_execution", {"tool_key": "x", "inputs": [1]}, ["inputs"]),
    ("create_execution", {"tool_key": "x", "inputs": '{"a": {'}, ["inputs"]),
    ("create_execution", {**docking(), "metadata": False}, ["metadata"]),
    ("create_execution", {**docking(), "batch_size": 0}, ["batch_size"]),
    ("create_execution", {**docking(), "visibility": "secret"}, ["visibility"]),
    ("create_execution", {**docking(), "sync": "perhaps"}, ["sync"]),
    ("create_execution", {**docking(), "idempotency_key": ""}, ["idempotency_key"]),
    ("create_execution", {**docking(), "idempotency_key": "k" * 201}, ["idempotency_key"]),
    ("confirm_execution", {"execution_id": ID, "expected_price": -1}, ["expected_price"]),
    ("confirm_execution", {"execution_id": ID, "expected_price": "a lot"}, ["expected_price"]),
    ("cancel_execution", {"execution_id": None}, ["execution_id"]),
    ("wait_executions", {"execution_ids": []}, ["execution_ids"]),
    ("wait_executions", {"execution_ids": ID}, ["execution_ids"]),
    ("wait_executions", {"execution_ids": [ID] * 101}, ["execution_ids"]),
    ("wait_executions", {"execution_ids": [ID], "timeout_seconds": 51}, ["timeout_seconds"]),
    ("wait_executions", {"execution_ids": [ID], "poll_interval_seconds": 0.5}, ["poll_interval_seconds"]),
    ("wait_executions", {"execution_ids": [ID], "until": "some"}, ["until"]),
    ("find_platform_tools", {"limit": 0}, ["limit"]),
]


@pytest.mark.parametrize(("tool", "arguments", "paths"), BAD, ids=lambda value: value if type(value) is str else "")
async def test_each_problem_of_the_arguments_is_one_line_that_begins_with_its_path(
    agent: Agent, bench: Bench, tool: str, arguments: dict[str, Any], paths: list[str]
) -> None:
    message = await agent.refused(tool, **arguments)
    assert message.startswith(tool)
    lines = lines_of(message)
    assert len(lines) == len(message.splitlines()) - 1
    assert [line.partition(":")[0] for line in lines] == paths
    assert not bench.platform.requests


@pytest.mark.parametrize(
    ("tool", "arguments", "named"),
    [
        ("list_executions", {"status": ["done"]}, ['"done"', "Completed", "InsufficientFunds"]),
        ("list_executions", {"status": ["Runing"]}, ['"Runing"', "Running?"]),
        ("list_executions", {"status": "failed"}, ['"failed"', "array", "Failed"]),
        ("list_executions", {"page_size": 0}, ["10000"]),
        ("search_executions", {"filters": [{"column": "a", "op": "=", "value": 1}]}, ['"="', "eq", "icontains"]),
        (
            "search_executions",
            {"filters": [{"column": "a", "op": "contains", "value": 1}]},
            ["icontains?"],
        ),
        ("search_executions", {"filters": [{"column": "a", "value": 1}]}, ["filters.0.op", "eq", "icontains"]),
        (
            "search_executions",
            {"filters": [{"column": "a", "op": "eq", "value": {"x": None}}]},
            ['{"x":null}', "string", "number", "boolean", "array"],
        ),
        ("search_executions", {"filters": ["name=x"]}, ['"name=x"', "column", "op", "value"]),
        ("get_execution", {}, ["execution_id", "string"]),
        ("get_execution", {"execution_id": ID, "source": "tools"}, ["tools_service?", "data_platform"]),
        ("wait_executions", {"execution_ids": [ID], "until": "first"}, ['"first"', "all", "any"]),
        ("wait_executions", {"execution_ids": [ID], "timeout_seconds": 600}, ["600", "50", "45"]),
    ],
)
async def test_a_problem_names_the_value_and_what_is_valid(
    agent: Agent, tool: str, arguments: dict[str, Any], named: list[str]
) -> None:
    message = await agent.refused(tool, **arguments)
    assert [words for words in named if words not in message] == []


@pytest.mark.parametrize(
    ("tool", "arguments", "named"),
    [
        ("get_execution", {"id": ID}, "execution_id"),
        ("list_executions", {"pagesize": 5}, "page_size?"),
        ("list_executions", {"order_by": "x"}, "order?"),
        ("get_execution", {"executionId": ID}, "execution_id?"),
        ("create_execution", {**docking(), "project": "p"}, "project_id?"),
        ("create_execution", {**docking(), "approve_amount": 100}, "approve_amount"),
        ("confirm_execution", {"execution_id": ID, "force": True}, "execution_id, expected_price"),
        ("get_workspace", {"x": 1}, "x"),
        ("find_platform_tools", {"ctx": 1}, "ctx"),
    ],
)
async def test_an_unknown_argument_is_refused_with_the_known_ones(
    agent: Agent, bench: Bench, tool: str, arguments: dict[str, Any], named: str
) -> None:
    answer = await agent.call(tool, arguments)
    assert answer.error is not None
    assert answer.error.code == "invalid_argument"
    assert named in answer.text
    assert not bench.platform.requests


async def test_an_unknown_argument_hides_no_other_problem(agent: Agent, bench: Bench) -> None:
    lines = lines_of(await agent.refused("list_executions", sesion="s", page=-1, detail="full", status=["runing"]))
    assert [line.partition(":")[0] for line in lines] == ["sesion", "page", "status.0", "detail", "valid arguments"]
    lines = lines_of(await agent.refused("wait_executions", ids=[], execution_ids=["x"] * 2_000))
    assert [line.partition(":")[0] for line in lines] == ["ids", "valid arguments", "execution_ids"]
    assert not bench.platform.requests


JSON_LOOKING = ("null", "true", "7", "-1.5", "[1]", "[]", "{}", '{"a": 1}', '"x"', '["a"]', "NaN", "1e5", " null ")


def texts_of(server: MCPServer[Any]) -> list[tuple[PlatformTool, str]]:
    """Every parameter of every tool that takes any text."""
    found = []
    for tool in server._tool_manager.list_tools():
        assert isinstance(tool, PlatformTool)
        for name, schema in tool.parameters["properties"].items():
            forms = schema.get("anyOf", [schema])
            if any(form.get("type") == "string" and "enum" not in form for form in forms):
                found.append((tool, name))
    return found


def test_a_text_with_json_in_it_stays_a_text_in_every_parameter_that_takes_one(bench: Bench) -> None:
    parameters = texts_of(bench.server())
    assert len(parameters) > 25
    for tool, name in parameters:
        for text in JSON_LOOKING:
            read = tool.fn_metadata.pre_parse_json({name: text})
            assert read == {name: text}, (tool.name, name)


@pytest.mark.parametrize("text", ["null", "7", "true", '"x"'])
async def test_a_text_that_holds_no_list_is_none(agent: Agent, text: str) -> None:
    """It would be no filter at all, or another one, if it were taken for what it holds."""
    assert lines_of(await agent.refused("list_executions", status=text))[0].startswith("status: ")
    assert "expected_price" in await agent.refused("confirm_execution", execution_id=ID, expected_price="null")


async def test_all_unknown_arguments_are_named_at_once(agent: Agent) -> None:
    message = await agent.refused("list_executions", pagesize=5, sesion="s", zzz=1)
    assert len(lines_of(message)) == 4


async def test_a_flood_of_problems_is_cut(agent: Agent) -> None:
    message = await agent.refused("wait_executions", execution_ids=list(range(100)))
    assert len(lines_of(message)) == 20
    message = await agent.refused("get_workspace", **{f"argument_{number}" + "x" * 500: 1 for number in range(30)})
    assert len(message) < 4000


async def test_values_in_problems_are_cut_and_on_one_line(agent: Agent) -> None:
    message = await agent.refused("get_execution", execution_id=["\n" * 50 + "x" * 5000])
    assert len(message) < 500
    assert len(message.splitlines()) == 2


@pytest.mark.parametrize("empty", [" ", "\t\n"])
@pytest.mark.parametrize("tool", ["get_execution", "confirm_execution", "cancel_execution"])
async def test_a_blank_id_is_refused_before_anything_is_sent(agent: Agent, bench: Bench, tool: str, empty: str) -> None:
    assert (await agent.error(tool, execution_id=empty)).code == "invalid_argument"
    assert not bench.platform.requests


async def test_numbers_are_taken_where_versions_are_meant(agent: Agent) -> None:
    found = await agent.read("describe_platform_tool", tool_key="deeporigin.docking", tool_version=4)
    assert found["tool_version"].startswith("4.")


async def test_json_in_text_is_taken_where_an_object_is_meant(agent: Agent) -> None:
    """Some clients hand nested arguments over as JSON text."""
    created = await agent.read(
        "create_execution",
        tool_key="deeporigin.mol-props-combined",
        inputs='{"ligands": [{"smiles": "CCO"}]}',
    )
    assert created["status"] == "Quoted"


async def test_all_problems_of_the_inputs_are_reported_at_once_with_their_paths(agent: Agent, bench: Bench) -> None:
    message = await agent.refused(
        "create_execution",
        tool_key="deeporigin.docking",
        inputs={
            "protein": {"id": 5},
            "pocket": {"center": [1, 2], "box_size_x": 0, "box_size_y": "wide", "box_size_z": 9},
            "ligand": [{"smiles": "CCO"}],
            "effort": 9,
        },
    )
    problems = " / ".join(lines_of(message))
    for expected in (
        "protein: 'file_path' is a required property",
        "protein.id: 5 is not of type string",
        "pocket.center: [1,2] is too short",
        "pocket.box_size_x: 0 is less than or equal to the minimum of 0",
        'pocket.box_size_y: "wide" is not of type number',
        "ligand: unknown input; did you mean ligands?",
        "effort: 9 is greater than the maximum of 5",
    ):
        assert expected in problems
    assert not bench.sent("POST")


ADMET = "deeporigin.admet-properties"


@pytest.mark.parametrize(
    ("tool_key", "inputs", "line"),
    [
        ("deeporigin.docking", {"protein": "a.pdb"}, 'protein: "a.pdb" is not of type object'),
        ("deeporigin.docking", {"ligands": ["CCO"]}, 'ligands.0: "CCO" is not of type object'),
        ("deeporigin.docking", {"ligands": "CCO"}, 'ligands: "CCO" is not of type array'),
        ("deeporigin.docking", {"ligands": [{"smile": "CCO"}]}, "ligands.0: 'smiles' is a required property"),
        ("deeporigin.docking", {"protein": '{"id": "x"}'}, "give the JSON itself, not a string that contains it"),
        (ADMET, {"properties": ["solubilty"]}, """properties.0: "solubilty" is not one of ["""),
        (ADMET, {"properties": "herg"}, 'properties: "herg" is not of type array'),
        (ADMET, {"propertys": ["herg"]}, "unknown input; did you mean properties?"),
    ],
)  # fmt: skip
async def test_a_bad_input_comes_with_the_valid_form(
    agent: Agent, bench: Bench, tool_key: str, inputs: dict[str, Any], line: str
) -> None:
    message = await agent.refused("create_execution", tool_key=tool_key, inputs=inputs)
    assert any(line in problem for problem in lines_of(message)), message
    assert (await agent.follow(message))["tool_key"] == tool_key
    assert not bench.sent("POST")


async def test_alternatives_are_explained(agent: Agent) -> None:
    inputs = docking()["inputs"]
    message = await agent.refused(
        "create_execution", tool_key="deeporigin.docking", inputs={k: v for k, v in inputs.items() if k != "ligands"}
    )
    assert "'ligands' is a required property; 'ligands_file' is a required property" in message


@pytest.mark.parametrize(
    ("tool_key", "tool_version", "named"),
    [
        ("deeporigin.dokcing", "latest", "deeporigin.docking?"),
        ("docking", "latest", "deeporigin.docking?"),
        ("Deeporigin.Docking", "latest", "deeporigin.docking?"),
        ("deeporigin.pocket_finder", "latest", "deeporigin.pocket-finder?"),
        ("acme.docking", "latest", "deeporigin.docking?"),
        ("deeporigin.docking@4.2.0", "latest", "deeporigin.docking?"),
        ("abfe", "latest", "deeporigin.abfe-end-to-end?"),
        ("nothing-like-it-at-all", "latest", "find_platform_tools"),
        ("../executions", "latest", "find_platform_tools"),
        ("deeporigin.docking", "99.0.0", "latest, 4.2.0, "),
        ("deeporigin.docking", "4.2", "latest, 4.2.0, "),
        ("deeporigin.bulk-docking", "latest", "deeporigin.bulk-docking"),
    ],
)
async def test_a_tool_or_version_that_does_not_exist_names_one_that_does(
    agent: Agent, bench: Bench, tool_key: str, tool_version: str, named: str
) -> None:
    asked = {"tool_key": tool_key, "tool_version": tool_version, "inputs": {}}
    answer = await agent.call("create_execution", asked)
    assert answer.error is not None
    assert answer.error.code in ("not_found", "tool_disabled")
    assert named in answer.text
    assert not bench.sent("POST")


async def test_a_platform_that_does_not_know_latest_has_one_all_the_same(agent: Agent, bench: Bench) -> None:
    bench.fault("GET */latest/definitions status=404")
    try:
        found = await agent.read("describe_platform_tool", tool_key="deeporigin.docking")
    finally:
        bench.heal()
    assert found["tool_version"] == "4.2.0"


async def test_without_a_project_and_with_several_the_user_has_to_say(bench: Bench) -> None:
    async with bench.agent(project_id="") as agent:
        answer = await agent.call("create_execution", docking())
        assert answer.error == ("no_project", "nothing_created")
        assert "09DEMAKNASE01 (Kinase pilot)" in answer.text
        created = await agent.read("create_execution", **docking(), project_id="09DEMASNDB0X3")
        assert created["project_id"] == "09DEMASNDB0X3"
        answer = await agent.call("create_execution", {**docking(), "project_id": "09N0SUCHPR0J1"})
        assert answer.error == ("unknown_project", "nothing_created")
        assert "09DEMAKNASE01 (Kinase pilot), " in answer.text
        assert not bench.sent("POST", "/tools/")[1:]


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("kinase PILOT", "09DEMAKNASE01 (Kinase pilot)"),
        ("Sandboxx", "09DEMASNDB0X3 (Sandbox)"),
        ("09DEMAKNASE0", "09DEMAKNASE01 (Kinase pilot)"),
    ],
)
async def test_a_project_asked_for_by_name_or_nearly_is_named(bench: Bench, asked: str, meant: str) -> None:
    async with bench.agent(project_id="") as agent:
        answer = await agent.call("create_execution", {**docking(), "project_id": asked})
        assert answer.error == ("unknown_project", "nothing_created")
        assert f"{meant}?" in answer.text
        assert not bench.platform.creates
        for tool in ("list_executions", "search_executions"):
            found = await agent.read(tool, project_id=asked)
            assert f"{meant}?" in found["next_step"]


async def test_the_servers_own_project_by_its_name_leads_to_its_id(agent: Agent, bench: Bench) -> None:
    answer = await agent.call("create_execution", {**docking(), "project_id": "Kinase pilot"})
    assert answer.error == ("unknown_project", "nothing_created")
    assert "09DEMAKNASE01 (Kinase pilot)?" in answer.text
    assert not bench.platform.creates


async def test_a_project_that_cannot_be_checked_is_left_to_the_platform(bench: Bench) -> None:
    async with bench.agent(project_id="") as agent:
        bench.fault("POST */projects/search status=403")
        try:
            assert (await agent.read("create_execution", **docking(), project_id=PROJECT))["project_id"] == PROJECT
            refused = await agent.error("create_execution", **docking(), project_id="09N0SUCHPR0J1")
            assert refused == ("invalid_request", "nothing_created")
        finally:
            bench.heal()


async def test_the_only_project_is_taken_and_none_at_all_is_reported() -> None:
    with running_bench() as bench:
        projects = bench.platform.organisations["deeporigin"].projects
        for name in [*projects][1:]:
            del projects[name]
        async with bench.agent(project_id="") as agent:
            assert (await agent.read("create_execution", **docking()))["project_id"] == next(iter(projects))
            projects.clear()
            assert await agent.error("create_execution", **docking()) == ("no_project", "nothing_created")


async def test_another_project_than_the_servers_is_refused(agent: Agent, bench: Bench) -> None:
    message = await agent.refused("create_execution", **docking(), project_id="09DEMAGPCR002")
    assert "09DEMAKNASE01" in message
    assert not bench.platform.creates


@pytest.mark.parametrize("tool", ["get_execution", "get_execution_logs", "get_execution_results", "cancel_execution"])
async def test_an_empty_id_is_refused_and_changes_nothing(agent: Agent, bench: Bench, tool: str) -> None:
    assert (await agent.error(tool, execution_id="")).code == "invalid_argument"
    assert not bench.sent("PATCH")


@pytest.mark.parametrize("arguments", [{"tool_key": ""}, {"tool_key": "deeporigin.docking", "tool_version": ""}])
async def test_an_empty_key_or_version_is_refused_too(agent: Agent, arguments: dict[str, Any]) -> None:
    assert (await agent.error("describe_platform_tool", **arguments)).code == "invalid_argument"
    assert (await agent.error("create_execution", **arguments, inputs={})).code == "invalid_argument"


@pytest.mark.parametrize(
    "arguments",
    [
        {"filters": [{}] * 1_001},
        {"filters": str([1] * 1_001)},
        {"tool_keys": [1] * 5_000, "select": ["id"] * 1_001},
    ],
)
async def test_a_list_longer_than_any_call_needs_is_refused_unread(
    agent: Agent, bench: Bench, arguments: dict[str, Any]
) -> None:
    lines = lines_of(await agent.refused("search_executions", **arguments))
    assert [line.partition(":")[0] for line in lines] == [*arguments]
    assert not bench.platform.requests


async def test_of_a_thousand_unknown_arguments_the_first_are_reported(agent: Agent) -> None:
    message = lines_of(await agent.refused("get_workspace", **{f"argument_{number}": 1 for number in range(1_000)}))
    assert len(message) == MAX_PROBLEMS + 1
