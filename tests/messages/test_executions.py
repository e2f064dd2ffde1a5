"""What the tools of executions say: errors, and the next steps of results."""

from __future__ import annotations

import re
from typing import Any

import pytest

from deeporigin_mcp.platform import Execution
from deeporigin_mcp.simulator.services.tables import Search
from deeporigin_mcp.tools.executions import best_rows, idempotency
from deeporigin_mcp.tools.executions import create_execution as creation
from tests.messages.snapshot import assert_as_agreed
from tests.support.bench import Agent, Bench, docking
from tests.support.rows import log_row, stored

pytestmark = pytest.mark.anyio

ANY_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|simulated-\d+")
NOWHERE = "3f0c9a52-6f0e-4f0b-9a55-0d3b6e1c7a11"


class Said:
    """What an agent was told, by case."""

    def __init__(self, agent: Agent, bench: Bench) -> None:
        self.by_case: dict[str, str] = {}
        self.agent = agent
        self._bench = bench

    async def __call__(self, case: str, tool: str, *faults: str, **arguments: Any) -> dict[str, Any]:
        """Call a tool, on a platform with these faults, and keep its error, or what its result says beside data."""
        for fault in faults:
            self._bench.fault(fault)
        answer = await self.agent.call(tool, arguments)
        self._bench.heal()
        if answer.error:
            said: list[str | None] = [f"code: {answer.error.code}", answer.text]
        else:
            rows = [row.get("error") for row in answer.content.get("executions", ())]
            said = [*rows, *answer.content.get("changes", ())]
            said += [answer.content.get(field) for field in ("note", "next_step")]
        text = "\n".join(line for line in said if line) or "-"
        self.by_case[case] = ANY_ID.sub("<id>", text)
        return answer.content


async def test_messages_of_repeating(bench: Bench) -> None:
    async with bench.agent() as agent:
        say, create = Said(agent, bench), "create_execution"
        quote = (await agent.read(create, **docking("CCO", "CCN")))["execution_id"]
        gone = {"key": "deeporigin.docking", "version": "3.9.0"}
        inputs = docking("CCO", "CCN")["inputs"]
        await say("neither tool nor run", create)
        await say("unknown run", create, like=NOWHERE)
        await say("another tool", create, like=quote, tool_key="deeporigin.rbfe")
        await say("no inputs", create, like=bench.raw(userInputs={}))
        await say("a ligand that is not there", create, like=quote, inputs={"ligands": {"aspirin": None}})
        await say("missing of a quote", create, like=quote, inputs={"ligands": "missing"})
        await say(
            "missing of a run that goes on", create, like=bench.raw(userInputs=inputs), inputs={"ligands": "missing"}
        )
        await say("a version that is gone", create, like=bench.raw(tool=gone, userInputs=inputs))
        whole = bench.platform.seed_run("deeporigin.docking", inputs, ago_seconds=3600)
        await say("nothing is missing", create, like=whole, inputs={"ligands": "missing"})
        await say("an exact double", create, like=whole)
        file = {**inputs, "ligands_file": "lists/none.json", "ligands_count": 3}
        del file["ligands"]
        await say(
            "a list that cannot be read", create, like=bench.raw(userInputs=file), inputs={"ligands": {"1": None}}
        )
    assert_as_agreed("repeating", say.by_case)


async def test_messages_of_creating(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    async with bench.agent() as agent:
        say = Said(agent, bench)
        create = "create_execution"
        await say("quoted", create, **docking(), idempotency_key="k")
        await say("same key", create, **docking(), idempotency_key="k")
        await say("same key, other inputs", create, **docking("CCN"), idempotency_key="k")
        await say("invalid inputs", create, tool_key="deeporigin.docking", inputs={"effort": 9, "ligand": []})
        await say("unknown cluster", create, **docking(), cluster_id="nowhere")
        await say("another project", create, **docking(), project_id="09DEMAGPCR002")
        await say("the server's project by name", create, **docking(), project_id="Kinase pilot")
        await say("lost request", create, "POST */executions reset times=1", **docking(), idempotency_key="lost")
        await say("refused", create, "POST */executions status=400 times=1", **docking(), idempotency_key="refused")
        huge = {"box_size_x": 200, "box_size_y": 20, "box_size_z": 20, "center": [0, 0, 0]}
        await say("cannot be priced", create, **docking(pocket=huge))
        with monkeypatch.context() as patch:
            patch.setattr(idempotency, "MAX_CALL_SECONDS", 20)
            async with bench.time_up(21):
                await say("no response", create, "POST */executions delay=9", **docking(), idempotency_key="slow")
            await say("under way", create, **docking("CCN"), idempotency_key="slow")
        with monkeypatch.context() as patch:
            patch.setattr(creation, "CALL_SECONDS", creation.RESPONSE_SECONDS / 2 + 20)
            async with bench.time_up(21):
                await say("slow platform", create, "GET * delay=9", **docking(), idempotency_key="s")
            async with bench.time_up(21):
                await say("no response in time", create, "POST */executions delay=9", **docking(), idempotency_key="t")
    async with bench.agent(auto_approve_up_to=5, max_price=0.1) as agent:
        say.agent = agent
        await say("start above a limit", create, **docking(), start=True)
    async with bench.agent(auto_approve_up_to=5) as agent:
        say.agent = agent
        await say("started", create, **docking(), start=True)
        await say("start without a response", create, "PATCH *:confirm reset times=1", **docking(), start=True)
        with monkeypatch.context() as patch:
            # 20 s to start it, 10 s more to say so.
            patch.setattr(creation, "CALL_SECONDS", 40)
            patch.setattr(creation, "RESPONSE_SECONDS", 20)
            async with bench.time_up(21):
                await say("slow start", create, "PATCH *:confirm delay=9", **docking(), start=True)
    async with bench.agent(project_id="") as agent:
        say.agent = agent
        await say("no project", create, **docking())
        await say("unknown project", create, **docking(), project_id="09N0SUCHPR0J1")
        await say("unknown project, in a list", "list_executions", project_id="09N0SUCHPR0J1")
        bench.platform.organisations["deeporigin"].projects.clear()
        await say("no projects", create, **docking())
    for status, is_started in (("Quoted", False), ("Running", True)):
        duplicate = Execution({"executionId": NOWHERE, "status": status})
        created = creation._Created(Execution({}), False, "", duplicate)
        say.by_case[f"duplicate, started: {is_started}"] = creation._before_next_step(created)
    assert_as_agreed("creating", say.by_case)


async def test_messages_of_lists_and_searches(agent: Agent, bench: Bench) -> None:
    say = Said(agent, bench)
    listing, search = "list_executions", "search_executions"
    await say("empty", listing)
    await say("empty search", search)
    await say("empty search, unknown status", search, status="Pondering")
    await say("unknown tool", listing, tool_key="acme.retired")
    await say("unknown tool, near a known one", search, tool_keys=["deeporigin.dockin"])
    await say("unknown project", search, project_id="09N0SUCHPR0J1")
    await say("order", listing, order="price desc")
    await say("time", listing, created_after="yesterday")
    await say("page size", listing, page=1, page_size=1_000)
    await say("page size, further on", listing, page=7, page_size=1_000)
    await say("misspelt status", search, status="running")
    await say("misspelt status in a filter", search, filters=[{"column": "status", "op": "eq", "value": "FAILED"}])
    await say("unknown column", search, filters=[{"column": "price", "op": "eq", "value": 1}])
    bench.platform.seed_executions(count=300, name="A rather long name of a run, with what was on their mind")
    bench.clock.advance(600)
    await say("more pages", listing, page_size=3)
    await say("more pages, with totals", listing, fetch_all_pages=True)
    await say("beyond the last page", listing, page=99)
    await say("more rows", search, limit=3)
    await say("more rows than fit", search, limit=1_000)
    await say("beyond the last row", search, offset=999)
    big = bench.raw(userInputs={"ligands": [{"smiles": "C" * 90}] * 900}, status="Completed")
    bench.clock.advance(600)
    selected = {"select": ["compute_job_id", "compute_metadata"], "compute_job_id": big}
    await say("a value that is cut", search, **selected, limit=2)
    await say("a value that is cut, alone", search, **selected, limit=1)
    bench.platform.seed_executions(status="Quoted")
    await say("quotes", listing, status=["Quoted"])
    assert_as_agreed("lists", say.by_case)


async def test_messages_of_one_execution(agent: Agent, bench: Bench) -> None:
    say = Said(agent, bench)
    get, cancel = "get_execution", "cancel_execution"
    await say("unknown id", get, execution_id="nope")
    await say("empty id", get, execution_id=" ")
    await say("unknown id, cancelled", cancel, execution_id="nope")
    await say("unknown id on the data platform", get, execution_id="nope", source="data_platform")
    running = bench.seeded("Running")
    await say("id of the data platform", get, execution_id=bench.platform.executions[running].data_platform_id)
    await say("mistyped id", get, execution_id=running[:-1])
    for status in ("Quoted", "Running", "Completed", "Failed", "InsufficientFunds", "FailedQuotation", "Cancelled"):
        await say(status, get, execution_id=bench.raw(status=status, quotationResult=None))
    await say("Quoted with a price", get, execution_id=bench.seeded("Quoted"))
    bill = {"status": "Approved", "totalCost": 2.5}
    await say("Cancelled with a bill", get, execution_id=bench.raw(status="Cancelled", billingTransaction=bill))
    ligands = [{"smiles": "C" * 90}] * 900
    big = bench.raw(status="Completed", userInputs={"ligands": ligands})
    await say("big inputs", get, execution_id=big, detail="detailed")
    await say("cancelled, over", cancel, execution_id=bench.seeded("Completed"))
    await say("cancelled, in a conflict", cancel, "PATCH *:cancel status=409", execution_id=bench.seeded())
    await say("cancelled, still running", cancel, "PATCH *:cancel status=200", execution_id=bench.seeded())
    await say("cancelled, a quote", cancel, execution_id=bench.seeded("Quoted"))
    await say("cancelled, no quotes", cancel, "PATCH *:cancel status=409", execution_id=bench.seeded("Quoted"))
    assert_as_agreed("execution", say.by_case)


async def test_messages_of_waiting(agent: Agent, bench: Bench) -> None:
    say = Said(agent, bench)
    messages: list[str] = []

    async def wait(case: str, *ids: str, fault: str = "") -> None:
        await say(case, "wait_executions", *([fault] if fault else []), execution_ids=ids, timeout_seconds=2)

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        messages.append(message or "")

    running, quoted = bench.seeded("Running", name="BRD4 pilot"), bench.seeded("Quoted")
    await wait("long id", "x" * 201)
    await wait("unknown ids", "nope", " ", NOWHERE)
    await wait("unknown and over", NOWHERE, bench.seeded("Completed"))
    await wait("running", running)
    await wait("quoted", quoted, bench.seeded("Quoted"))
    await wait("quoted without a price", bench.raw(status="Quoted", quotationResult=None))
    await wait("completed and failed", bench.seeded("Completed"), bench.seeded("Failed"))
    await wait("failure", running, fault="GET */executions/* status=503")
    names = [running, quoted, *bench.platform.seed_executions(count=5, status="Completed")]
    arguments = {"execution_ids": names, "timeout_seconds": 12}
    await agent.client.call_tool("wait_executions", arguments, progress_callback=hear)
    say.by_case["progress"] = "\n".join(dict.fromkeys(messages))
    assert_as_agreed("waiting", say.by_case)


async def test_messages_of_what_is_missing(agent: Agent, bench: Bench) -> None:
    platinum, unreadable = "N[Pt](N)(Cl)Cl", "CC(=O"
    by_case: dict[str, str] = {}

    async def say(case: str, *smiles: str, log: bool = True, **body: Any) -> None:
        inputs = docking(*smiles, sync=False)["inputs"]
        name = bench.platform.seed_run("deeporigin.docking", inputs, ago_seconds=3600, **body)
        if not log:
            bench.fault("POST */user_logs/* status=403")
        found = await agent.read("get_execution", execution_id=name)
        bench.heal()
        parts = [f"{found['status']}, {found.get('returned')} of {found.get('requested')}"]
        parts += [f"{row['name']}: {row['reason']}" for row in found.get("missing", ())]
        parts += [text for key in ("status_reason", "failed_parts") if (text := found.get(key))]
        by_case[case] = ANY_ID.sub("<id>", "\n".join(parts))

    await say("whole", "CCO", "CCN")
    await say("two are missing", "CCO", platinum, unreadable)
    await say("the log cannot be read", "CCO", platinum, log=False)
    await say("a batch failed", "CCO", "CCN", platinum, unreadable, batchSize=2)
    await say("all failed", platinum, unreadable)
    await say("the only one failed", platinum)
    await say("all failed, the SMILES is in the reason", unreadable, platinum)
    assert_as_agreed("missing", by_case)


async def test_messages_of_logs(agent: Agent, bench: Bench) -> None:
    say = Said(agent, bench)
    logs, refused = "get_execution_logs", "POST */user_logs/search status=400 times={}"

    def logged(*messages: str, status: str = "Failed") -> str:
        name = bench.seeded(status)
        rows = [log_row(name, number, message) for number, message in enumerate(messages)]
        bench.platform.executions[name].own_logs = rows
        return name

    await say("none", logs, execution_id=logged())
    await say("none yet", logs, execution_id=logged(status="Running"))
    long = logged("old", "x" * 30_000)
    await say("none matches", logs, execution_id=logged(), contains="y")
    await say("beyond the oldest", logs, execution_id=long, offset=5)
    await say("cut", logs, execution_id=long)
    await say("cut, alone", logs, execution_id=long, limit=1)
    many = logged(*(f"{number}: " + "word " * 120 for number in range(301)))
    await say("more than fit", logs, execution_id=many, limit=500)
    await say("unsorted", logs, refused.format(1), execution_id=long, limit=1, offset=1)
    await say("unfiltered", logs, refused.format(1), execution_id=long, contains="old")
    await say("unfiltered and unsorted", logs, refused.format(2), execution_id=long, contains="old")
    await say("refused", logs, "POST */user_logs/search status=403", execution_id=long)
    assert_as_agreed("logs", say.by_case)


async def _say_the_best(say: Said, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    results, poses = "get_execution_results", [("08A", 0.5), ("08A", 0.75), ("08B", 0.25), (None, 1)]
    best = stored(bench, *({"ligand_id": ligand, "pose_score": score} for ligand, score in poses))
    await say("no such columns", results, execution_id=best, columns=["pose_scor", "energy"])
    await say("no such group", results, execution_id=best, best_per="ligands")
    found = await say("the best of each", results, execution_id=best, best_per="ligand_id", limit=1)
    await say("no more groups", results, execution_id=best, cursor="page9[pose_score desc per ligand_id]:")
    await say("cursor of other groups", results, execution_id=best, cursor=found["next_cursor"], best_per="id")
    await say("cursor of no groups", results, execution_id=best, cursor="page1:", best_per="ligand_id")
    fits = stored(bench, {"ligand_id": "08A", "fit": 1, "gap": 2.5}, {"ligand_id": "08B", "fit": 2})
    await say("no direction", results, execution_id=fits, best_per="ligand_id")
    await say("no numbers", results, execution_id=stored(bench, {"ligand_id": "08A"}), best_per="ligand_id")
    outputs = bench.raw(status="Completed", jobOutputs={"molprops": [{"logp": 1.2}]})
    await say("columns of outputs", results, execution_id=outputs, columns=["logp"])
    with monkeypatch.context() as patch:
        patch.setattr(best_rows, "MOST_READ", 2)
        await say("more than can be compared", results, execution_id=best, best_per="ligand_id")
        patch.setattr(best_rows, "READ_SECONDS", 0.2)
        slow = "POST */result-explorer/search delay=9"
        await say("nothing to compare in time", results, slow, execution_id=best, best_per="ligand_id")


async def test_messages_of_results(agent: Agent, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    say = Said(agent, bench)
    results, refused = "get_execution_results", "POST */result-explorer/search status={}"
    name = stored(bench, *({"n": number, "score": number % 7, "smiles": "C" * 250} for number in range(200)))
    found = await say("more rows", results, execution_id=name, limit=2)
    await say("more rows, in an order", results, execution_id=name, limit=2, order="score desc")
    await say("more rows than fit", results, execution_id=name, limit=200)
    await say("no more rows", results, execution_id=name, cursor="page999[score desc]:")
    await say("cursor", results, execution_id=name, cursor="nonsense")
    await say("cursor of an unknown row", results, execution_id=name, cursor="row:0A1:1@0")
    await say("cursor of no order", results, execution_id=name, cursor=found["next_cursor"], order="score desc")
    await say("cursor of another order", results, execution_id=name, cursor="page1[n asc]:", order="score desc")
    await say("order", results, execution_id=name, order="desc")
    await say("unknown column", results, execution_id=name, order="scor desc")
    await say("order refused", results, refused.format("400 times=2"), execution_id=name, order="score desc")
    await say("order failed", results, refused.format(500), execution_id=name, order="score desc")
    await say("unknown type", results, execution_id=name, result_type="poses")
    await say("unknown types", results, refused.format("400 skip=1 times=1"), execution_id=name, result_type="poses")
    outputs = bench.raw(status="Completed", jobOutputs={"molprops": [{"logp": 1.2}]})
    await say("outputs in an order", results, execution_id=outputs, order="logp desc")
    await say("outputs of a type", results, execution_id=outputs, result_type="molprops")
    big = bench.raw(status="Completed", jobOutputs={"grid": [[number] * 9 for number in range(3_000)]})
    found = await say("big outputs", results, execution_id=big)
    await say("big outputs, read on", results, execution_id=big, cursor=found["next_cursor"])
    await say("running", results, execution_id=bench.seeded("Running"))
    await say("nothing stored", results, execution_id=stored(bench))
    await say("not stored yet", results, "POST */executions/search status=400", execution_id=stored(bench))
    few = stored(bench, {"smiles": "CCO"})
    bench.platform.executions[few].stored["userInputs"] = {"ligands": [{"smiles": "CCO"}, {"smiles": "CCN"}]}
    await say("fewer ligands", results, execution_id=few)
    await _say_the_best(say, bench, monkeypatch)
    answer = Search.answer

    def unsorted(search: Search, rows: Any) -> Any:
        search.sort = []
        return answer(search, rows)

    monkeypatch.setattr(Search, "answer", unsorted)
    await say("not sorted", results, execution_id=name, order="score desc")
    assert_as_agreed("results", say.by_case)
